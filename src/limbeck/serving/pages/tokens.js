// The tokens of a text: which of them the model does not read, and which it does not know.
import { ask } from "./asking.js";
import { fill, hidden, make, seen } from "./seen.js";

const SHOWN = 2000;

/** Which of `count` tokens, the two of the frame aside, a window reads: as `tokens/windows.py` has it. */
function isRead(count, { window, max_tokens: most }) {
  const room = most - 2;
  if (count <= room || window === "all") return () => true;
  if (window === "tail") return (place) => place >= count - room;
  if (window === "both") return (place) => place < Math.ceil(room / 2) || place >= count - Math.floor(room / 2);
  return (place) => place < room;
}

/** Return elements that show the tokens of a text. */
export async function tokensOf(text, known) {
  const w = known.words;
  let tokens;
  try {
    tokens = (await ask("tokenize", { inputs: [text] }))[0];
  } catch (error) {
    return [make("p", { class: "fault" }, error.message)];
  }
  const inner = tokens.filter((token) => !token.special || token.text === "[UNK]");
  // Of a pair the service gives the tokens that are read alone.
  const read = known.pair ? () => true : isRead(inner.length, known);
  let place = 0;
  const list = tokens.slice(0, SHOWN).map((token) => {
    const unknown = token.text === "[UNK]";
    const frame = token.special && !unknown;
    const cut = !frame && !read(place++);
    const said = cut ? w.token_cut : unknown ? w.token_unknown : null;
    return make("li", { class: [frame && "frame", cut && "cut", unknown && "unknown"].filter(Boolean).join(" ") || null },
      ...seen(token.text), said && hidden(` (${said})`));
  });
  return [
    make("ol", { class: "tokens", tabindex: "0", "aria-label": w.tokens }, ...list),
    tokens.length > SHOWN ? make("p", { class: "key" }, fill(w.tokens_many, { shown: SHOWN, count: tokens.length })) : null,
    make("p", { class: "key" }, known.pair ? w.token_key_pair : w.token_key),
  ].filter(Boolean);
}
