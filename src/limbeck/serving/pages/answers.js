// What the service answered, drawn: the decision, the probabilities beside their thresholds, and what was not read.
import { fill, filled, hidden, labelled, make, number, quoted, seen, share } from "./seen.js";
import { tokensOf } from "./tokens.js";

const FEW = 10;
const ROWS = 500;
const percent = (part) => `${Number((100 * part).toPrecision(4))} %`;

/** A text or a pair as one string, as files of predictions have it. */
const plain = (text) => (typeof text === "string" ? text : text.join(" [SEP] "));

/** What an answer says: {labels, value, probability, interval}. */
function decision(row, known) {
  const probabilityOf = (label) => row.probs[known.labels.indexOf(label)];
  if (known.task === "regression") return { value: row.value, interval: row.interval };
  if (known.task === "multi") return { labels: [...row.labels].sort((one, other) => probabilityOf(other) - probabilityOf(one)) };
  const label = row.label ?? row.top[0].label;
  return { labels: [label], probability: probabilityOf(label) };
}

/** One line for those who hear the page. */
export function spoken(row, known) {
  const w = known.words;
  const { labels, value, probability, interval } = decision(row, known);
  if (value !== undefined) return number(value) + (interval ? `. ${between(interval, known)}` : "");
  if (probability === undefined) return labels.length ? labels.join(", ") : w.no_labels;
  return `${row.unsure ? `${w.unsure}, ${w.most_probable} ` : ""}${labels[0]}, ${share(probability)}`;
}

const between = ({ level, low, high }, known) =>
  fill(known.words.holds, { level: percent(level), low: number(low), high: number(high) });

/** The answer to one text. */
export function one(row, text, known) {
  const w = known.words;
  const { value, interval } = decision(row, known);
  return make("article", { class: "answer" },
    verdict(row, known),
    row.unsure ? make("p", {}, unsureWhy(row, known)) : null,
    value === undefined ? bars(row, known) : interval ? make("p", {}, between(interval, known)) : null,
    reading(row, text, known),
    make("details", {}, make("summary", {}, w.json),
      make("pre", { tabindex: "0" }, make("code", {}, ...seen(JSON.stringify(row, null, 2))))),
  );
}

function verdict(row, known) {
  const w = known.words;
  const { labels, value, probability } = decision(row, known);
  if (value !== undefined) return make("p", { class: "verdict" }, make("b", {}, number(value)));
  if (!labels.length) return make("p", { class: "verdict" }, w.no_labels);
  return make("p", { class: "verdict" },
    row.unsure ? make("span", { class: "doubt" }, w.unsure) : null,
    row.unsure ? make("small", {}, w.most_probable) : null,
    ...labels.flatMap((label) => [labelled(label), " "]),
    probability === undefined ? null : make("b", {}, share(probability)),
    known.task === "ordinal" ? make("small", {}, w.median) : null);
}

function unsureWhy(row, known) {
  const { labels, probability } = decision(row, known);
  const threshold = known.thresholds?.[known.labels.indexOf(labels[0])];
  return fill(known.words.unsure_why, { probability: share(probability), threshold: threshold === undefined ? "–" : share(threshold) });
}

function bars(row, known) {
  const w = known.words;
  const { thresholds } = known;
  const given = new Set(row.unsure ? [] : decision(row, known).labels);
  const all = known.labels.map((label, place) => ({ label, place, probability: row.probs[place] }));
  const ordered = known.task === "ordinal";
  if (!ordered) all.sort((left, right) => right.probability - left.probability || left.place - right.place);
  const least = ordered ? all.length : Math.max(FEW, Math.min(given.size, 3 * FEW));
  const body = make("tbody");
  const show = (count) => body.replaceChildren(...all.slice(0, count).map(({ label, place, probability }) => {
    const track = make("span", { class: "track", "aria-hidden": "true" }, make("i"), thresholds && thresholds[place] <= 1 ? make("u") : null);
    track.style.setProperty("--share", `${100 * probability}%`);
    if (thresholds) track.style.setProperty("--from", `${100 * thresholds[place]}%`);
    return make("tr", { class: given.has(label) ? "given" : null },
      make("th", { scope: "row" }, make("bdi", {}, ...seen(label))), make("td", {}, track),
      make("td", thresholds ? { title: `${w.threshold_key}: ${share(thresholds[place])}` } : {}, share(probability)));
  }));
  show(least);
  const more = all.length > least && make("button", { type: "button", class: "link", "aria-expanded": "false", onclick: () => {
    const open = more.getAttribute("aria-expanded") === "false";
    show(open ? all.length : least);
    more.setAttribute("aria-expanded", String(open));
    more.textContent = open ? w.show_fewer : fill(w.show_all, { count: all.length });
  } }, fill(w.show_all, { count: all.length }));
  return make("div", {},
    make("table", { class: "bars" }, make("caption", {}, hidden(w.table)),
      make("thead", {}, make("tr", {}, make("th", { scope: "col" }, hidden(w.label)), make("td"), make("th", { scope: "col" }, hidden(w.probability)))),
      body),
    more || null,
    thresholds ? make("p", { class: "key" }, make("span", { class: "tick", "aria-hidden": "true" }), w.threshold_key) : null);
}

function reading(row, text, known) {
  const w = known.words;
  const said = row.tokens_cut
    ? filled(w.cut, { cut: make("b", {}, String(row.tokens_cut)), tokens: String(row.tokens) })
    : [fill(w.read_all, { tokens: row.tokens })];
  const place = make("div");
  const button = make("button", { type: "button", class: "link", "aria-expanded": "false", onclick: async () => {
    const open = button.getAttribute("aria-expanded") === "false";
    button.setAttribute("aria-expanded", String(open));
    button.textContent = open ? w.hide_tokens : w.show_tokens;
    place.replaceChildren(...(open ? await tokensOf(text, known) : []));
  } }, w.show_tokens);
  return make("div", { class: "read" },
    make("p", {}, make("span", { class: row.tokens_cut ? "doubt" : "muted" }, ...said), " · ", button), place);
}

/** The answers to several texts: counts, a table, and a file of all of them. */
export function many(rows, texts, known, places) {
  const w = known.words;
  const isValue = known.task === "regression";
  const heads = [w.line, w.text, isValue ? w.value : w.answer, known.task === "multi" ? null : isValue ? w.interval : w.probability, w.notes];
  const body = make("tbody", {}, ...rows.slice(0, ROWS).map((row, place) => line(row, texts[place], places[place], known)));
  return make("div", {},
    isValue ? null : counts(rows, known),
    make("div", { class: "scroll", tabindex: "0", role: "group", "aria-labelledby": "answers-title" },
      make("table", { class: "many" },
        make("thead", {}, make("tr", {}, ...heads.map((head) => head && make("th", { scope: "col" }, head)), make("td"))), body)),
    rows.length > ROWS ? make("p", { class: "muted" }, fill(w.rows_shown, { shown: ROWS, count: rows.length })) : null,
    make("p", {}, make("button", { type: "button", onclick: () => download(csv(rows, texts, known)) }, w.download)));
}

function line(row, text, place, known) {
  const w = known.words;
  const { labels, value, probability, interval } = decision(row, known);
  const notes = [row.unsure && w.unsure, row.tokens_cut && fill(w.cut_short, { cut: row.tokens_cut })].filter(Boolean).join(", ");
  const cells = value === undefined
    ? [make("td", {}, ...(labels.length ? labels.flatMap((label) => [labelled(label), " "]) : [w.no_labels])),
      known.task === "multi" ? null : make("td", { class: "number" }, share(probability))]
    : [make("td", { class: "number" }, number(value)), make("td", {}, interval ? between(interval, known) : "–")];
  const button = make("button", { type: "button", class: "link", "aria-expanded": "false", "aria-label": fill(w.details_of, { number: place }), onclick: () => {
    const open = button.getAttribute("aria-expanded") === "false";
    button.setAttribute("aria-expanded", String(open));
    if (open) head.after(make("tr", { class: "open" }, make("td", { colspan: "6" }, make("div", {}, make("p", {}, quoted(plain(text))), one(row, text, known)))));
    else head.nextElementSibling.remove();
  } }, w.details);
  const head = make("tr", {}, make("td", { class: "number" }, String(place)),
    make("td", { class: "text" }, plain(text) ? quoted(plain(text)) : make("span", { class: "none" }, w.empty_text)), ...cells,
    make("td", { class: notes ? "doubt" : null }, notes), make("td", {}, button));
  return head;
}

function counts(rows, known) {
  const w = known.words;
  const found = new Map();
  let unsure = 0;
  for (const row of rows) {
    if (row.unsure) unsure += 1;
    else for (const label of decision(row, known).labels) found.set(label, (found.get(label) ?? 0) + 1);
  }
  const most = [...found].sort((left, right) => right[1] - left[1]).slice(0, 20);
  return make("ul", { class: "counts" },
    ...most.map(([label, count]) => make("li", {}, labelled(label), " ", make("b", {}, String(count)))),
    unsure ? make("li", {}, make("span", { class: "doubt" }, w.unsure), " ", make("b", {}, String(unsure))) : null);
}

// A cell that a spreadsheet could run gets an apostrophe, as in the files of `limbeck predict`.
const cell = (value) => {
  const text = typeof value === "string" ? value.replace(/^('*[=+\-@＝＋－＠\t\r\n])/, "'$1") : String(value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

/** The answers as a CSV file, its columns named as those of `limbeck predict`. */
export function csv(rows, texts, known) {
  const isValue = known.task === "regression";
  const isMulti = known.task === "multi";
  const heads = isValue ? ["text", "value", "value_low", "value_high"]
    : ["text", isMulti ? "predictions" : "prediction", ...known.labels.map((label) => `probability.${label}`), ...(isMulti ? [] : ["unsure"])];
  const lines = rows.map((row, place) => {
    const { labels, value, interval } = decision(row, known);
    const own = isValue ? [value, interval?.low, interval?.high] : [isMulti ? JSON.stringify(labels) : labels[0], ...row.probs, ...(isMulti ? [] : [Boolean(row.unsure)])];
    return [plain(texts[place]), ...own, row.tokens, Boolean(row.truncated)];
  });
  return [[...heads, "tokens", "truncated"], ...lines].map((one) => one.map(cell).join(",")).join("\r\n") + "\r\n";
}

function download(content) {
  const link = make("a", { href: URL.createObjectURL(new Blob(["\ufeff", content], { type: "text/csv" })), download: "answers.csv" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
