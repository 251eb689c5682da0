// The page to try a model: what is typed goes to the service, and what it says comes below.
import { many, one, spoken } from "./answers.js";
import { address, ask, fetched, hasKey, Refused, useKey } from "./asking.js";
import { fill, seen, time } from "./seen.js";
import { snippet } from "./snippets.js";

const AT_A_TIME = 64;
const MOST_LINES = 10000;
const IN_CODE = 20;
const get = (id) => document.getElementById(id);
let known;
let watching;

function start() {
  known = JSON.parse(get("known").textContent);
  if (known.locked) return startLocked();
  const form = get("ask");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    answer();
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.isComposing) form.requestSubmit();
  });
  form.addEventListener("input", showForm);
  get("go").disabled = false;
  startCode();
  showForm();
  watch();
}

const isMany = () => get("ask").elements.mode.value === "many";

function showForm() {
  get("one").hidden = isMany();
  get("many").hidden = !isMany();
  showCode();
}

/** What stands in the form: {inputs}, or {fault}. Empty lines are none; `places` has the number of each other line. */
function asked() {
  const w = known.words;
  if (!isMany()) {
    const texts = [...get("one").querySelectorAll("textarea")].map((field) => field.value);
    if (texts.every((text) => !text.trim())) return { inputs: [], fault: w.empty };
    return { inputs: [known.pair ? texts : texts[0]] };
  }
  const lines = get("lines").value.split("\n");
  const inputs = [];
  const places = [];
  for (const [place, line] of lines.entries()) {
    if (!line.trim()) continue;
    places.push(place + 1);
    if (!known.pair) inputs.push(line);
    else if (line.includes("\t")) inputs.push(line.split(/\t(.*)/s, 2));
    else return { inputs: [], fault: fill(w.bad_pair, { line: place + 1 }) };
  }
  if (inputs.length > MOST_LINES) return { inputs: [], fault: fill(w.too_many, { count: inputs.length, limit: MOST_LINES }) };
  return { inputs, places, fault: inputs.length ? null : w.empty };
}

async function answer() {
  if (get("go").disabled) return;
  const w = known.words;
  const several = isMany();
  const { inputs, places, fault } = asked();
  say("");
  complain(fault ?? "");
  if (fault) return;
  const ending = new AbortController();
  const stop = () => ending.abort();
  const began = performance.now();
  const rows = [];
  busy(true, several);
  get("stop").addEventListener("click", stop);
  const slow = setTimeout(() => say(w.busy), 300);
  const onWait = (seconds) => say(fill(w.wait, { seconds }));
  try {
    while (rows.length < inputs.length) {
      const size = Math.min(AT_A_TIME, known.max_texts);
      const part = inputs.slice(rows.length, rows.length + size);
      const body = await ask("classify", { input: part }, { signal: ending.signal, onWait });
      rows.push(...body.data);
      known.thresholds = body.thresholds ?? known.thresholds;
      if (body.model_sha && body.model_sha !== known.digest) complain(w.changed);
      get("progress").value = rows.length / inputs.length;
      if (inputs.length > size) say(fill(w.progress, { done: rows.length, all: inputs.length }));
    }
    clearTimeout(slow);
    const took = time(performance.now() - began);
    say(several ? fill(w.answered_many, { count: rows.length, time: took }) : `${spoken(rows[0], known)} · ${fill(w.time, { time: took })}`);
    state(true);
  } catch (error) {
    clearTimeout(slow);
    say("");
    if (error.name === "AbortError") say(fill(w.stopped, { done: rows.length, all: inputs.length }));
    else complain(error instanceof Refused ? error.message : w.offline);
    watch();
  } finally {
    get("stop").removeEventListener("click", stop);
    busy(false);
  }
  if (!rows.length) return;
  get("results").replaceChildren(several ? many(rows, inputs, known, places) : one(rows[0], inputs[0], known));
  get("answers").hidden = false;
}

function busy(is, several) {
  get("go").disabled = is;
  get("stop").hidden = !is;
  get("progress").hidden = !is || !several;
  get("progress").value = 0;
}

const say = (text) => get("said").replaceChildren(...seen(text));

function complain(text) {
  get("fault").replaceChildren(...seen(text));
  get("fault").hidden = !text;
}

function state(ready) {
  get("state").textContent = ready ? known.words.ready : known.words.waiting;
  get("state").classList.toggle("off", !ready);
}

/** Show whether the service is ready, and ask again while it is not. */
async function watch() {
  clearTimeout(watching);
  const ready = await fetched("readyz").then((one) => one.ok, () => false);
  state(ready);
  if (!ready) watching = setTimeout(watch, 3000);
}

function startCode() {
  const tabs = [...document.querySelectorAll("[role=tab]")];
  const choose = (tab, { focus = true } = {}) => {
    for (const one of tabs) {
      one.setAttribute("aria-selected", String(one === tab));
      one.tabIndex = one === tab ? 0 : -1;
    }
    get("snippet").setAttribute("aria-labelledby", tab.id);
    if (focus) tab.focus();
    showCode();
  };
  tabs.forEach((tab, place) => {
    tab.addEventListener("click", () => choose(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const end = { Home: 0, End: tabs.length - 1 }[event.key];
      if (step === undefined && end === undefined) return;
      event.preventDefault();
      choose(tabs[end ?? (place + step + tabs.length) % tabs.length]);
    });
  });
  get("copy").addEventListener("click", copy);
  get("code").hidden = false;
}

function showCode() {
  const kind = document.querySelector("[role=tab][aria-selected=true]").dataset.kind;
  const { inputs } = asked();
  const example = known.pair ? [known.pair] : known.example;
  const one = known.pair ? inputs : inputs[0];
  const input = !inputs.length ? example : isMany() ? inputs.slice(0, IN_CODE) : one;
  const code = snippet(kind, { url: address("classify"), input, task: known.task, key: hasKey() });
  get("snippet").querySelector("code").textContent = code;
  const isPart = isMany() && inputs.length > IN_CODE;
  get("part").textContent = isPart ? fill(known.words.first_texts, { shown: IN_CODE, count: inputs.length }) : "";
}

async function copy() {
  const code = get("snippet").querySelector("code");
  let done = false;
  try {
    await navigator.clipboard.writeText(code.textContent);
    done = true;
  } catch {
    // Outside localhost and https a browser has no clipboard: the older way, which needs a selection.
    getSelection().selectAllChildren(code);
    done = document.execCommand("copy");
  }
  get("copied").textContent = done ? known.words.copied : known.words.copy_failed;
}

/** With a key: the same page again, asked for with it. */
function startLocked() {
  const form = get("open");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    useKey(get("key").value);
    unlock();
  });
  form.querySelector("button").disabled = false;
  if (hasKey()) unlock();
}

async function unlock() {
  const answer = await fetched(location.search, { headers: { accept: "text/html" } }).catch(() => null);
  const page = answer?.ok ? new DOMParser().parseFromString(await answer.text(), "text/html") : null;
  if (!page || JSON.parse(page.getElementById("known").textContent).locked) {
    complain(answer ? known.words.wrong_key : known.words.offline);
    return useKey(null);
  }
  document.title = page.title;
  document.body.replaceWith(page.body);
  start();
}

start();
