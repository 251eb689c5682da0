
"use strict";
for (const table of document.querySelectorAll("table.rows")) {
  const body = table.tBodies[0];
  const words = table.dataset;
  const rows = [...body.rows];
  const collator = new Intl.Collator(document.documentElement.lang, { numeric: true });
  const valueOf = (row, place) => row.cells[place].dataset.value ?? row.cells[place].textContent.trim();

  // Sorting: a button in each heading; the first press sorts as that column is usually read.
  [...table.tHead.rows[0].cells].forEach((head, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.title = words.sort.replace("{name}", head.textContent);
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const sign = down ? -1 : 1;
      rows.sort((one, other) => {
        const [left, right] = [valueOf(one, place), valueOf(other, place)];
        const numbers = [Number(left), Number(right)];
        const isNumber = left !== "" && right !== "" && !numbers.some(Number.isNaN);
        return sign * (isNumber ? numbers[0] - numbers[1] : collator.compare(left, right));
      });
      body.append(...rows);
    });
  });

  // Filtering: words anywhere in the row, and one choice for each column that holds class names.
  const tools = document.createElement("div");
  tools.className = "tools";
  const count = document.createElement("p");
  count.setAttribute("role", "status");
  const labelled = (name, control) => {
    const label = document.createElement("label");
    label.append(name + " ", control);
    tools.append(label);
    control.addEventListener("input", filter);
    return control;
  };
  const search = labelled(words.filter, document.createElement("input"));
  search.type = "search";
  const choices = [...table.tHead.rows[0].cells].map((head, place) => {
    if (!head.classList.contains("choice")) return null;
    const select = labelled(head.textContent, document.createElement("select"));
    const values = [...new Set(rows.map((row) => valueOf(row, place)))].sort(collator.compare);
    select.append(new Option(words.all, ""), ...values.map((value) => new Option(value, value)));
    return { place, select };
  }).filter(Boolean);
  function filter() {
    const wanted = search.value.toLowerCase();
    let shown = 0;
    for (const row of rows) {
      row.hidden = !row.textContent.toLowerCase().includes(wanted)
        || choices.some(({ place, select }) => select.value && valueOf(row, place) !== select.value);
      shown += !row.hidden;
    }
    count.textContent = words.shown.replace("{shown}", shown).replace("{count}", rows.length);
  }
  tools.append(count);
  table.closest(".scroll").before(tools);
}
