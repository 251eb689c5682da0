// Elements and text. Every text goes in as text, never as HTML; what cannot be seen, or would reorder what stands
// around it, is shown by its number, as on the pages of the report.

const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff\u{e0000}-\u{e007f}]/gu;
const JOINED = /\p{Extended_Pictographic}[\ufe0f\u{1f3fb}-\u{1f3ff}]?\u200d(?=\p{Extended_Pictographic})|[\u0600-\u08ff\u0900-\u0dff\u1000-\u109f\u1780-\u18af][\u200c\u200d]/gu;

const codeOf = (sign) => "U+" + sign.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");

/** An element with attributes and children; strings become text. */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== false && value != null) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

/** The nodes of a text that somebody else wrote. */
export function seen(text) {
  const used = new Set();
  for (const match of text.matchAll(JOINED)) used.add(match.index + match[0].length - 1);
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(UNSEEN)) {
    if (used.has(match.index)) continue;
    nodes.push(text.slice(from, match.index), make("span", { class: "code" }, codeOf(match[0])));
    from = match.index + match[0].length;
  }
  nodes.push(text.slice(from));
  return nodes;
}

/** A label, or a text of the user, that cannot reorder its neighbours. */
export const labelled = (name) => make("bdi", { class: "label" }, ...seen(name));
export const quoted = (text) => make("bdi", { class: "quoted", dir: "auto" }, ...seen(text));

/** For those who hear the page. */
export const hidden = (text) => make("span", { class: "unseen" }, text);

/** A sentence whose braces are filled with text. */
export const fill = (sentence, values = {}) => sentence.replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);

/** A sentence as nodes, whose braces may be filled with elements. */
export const filled = (sentence, values) => sentence.split(/\{(\w+)\}/).map((part, place) => (place % 2 ? values[part] : part));

/** A probability with three decimals; none is shown as a whole 0 or 1 that it is not. */
export function share(value) {
  if (value > 0 && value < 0.0005) return "<0.001";
  if (value < 1 && value >= 0.9995) return ">0.999";
  return value.toFixed(3);
}

/** A number with four digits. */
export const number = (value) => String(Number(value.toPrecision(4)));

/** How long something took. */
export const time = (ms) => (ms < 1000 ? `${Math.max(1, Math.round(ms))} ms` : `${(ms / 1000).toFixed(1)} s`);
