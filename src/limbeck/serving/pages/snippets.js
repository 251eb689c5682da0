// The same question as a program: what stands here runs as it is.

// What cannot be seen in a program, or would reorder its lines, is written by number.
const HIDDEN = /[\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\uffff]|[\u{e0000}-\u{e01ef}]/gu;
const unit = (code) => "\\u" + code.toString(16).padStart(4, "0");
const inJson = (sign) => [...Array(sign.length).keys()].map((place) => unit(sign.charCodeAt(place))).join("");
const inPython = (sign) => (sign.length === 1 ? inJson(sign) : "\\U" + sign.codePointAt(0).toString(16).padStart(8, "0"));

const json = (value) => JSON.stringify(value).replace(HIDDEN, inJson);
const python = (value) =>
  (Array.isArray(value) ? `[${value.map(python).join(", ")}]` : JSON.stringify(value).replace(HIDDEN, inPython));
const shell = (text) => `'${text.replaceAll("'", "'\\''")}'`;

const ANSWER = {
  single: { python: 'row["label"], row["top"][0]["probability"]', javascript: "row.label, row.top[0].probability" },
  ordinal: { python: 'row["label"], row["probs"]', javascript: "row.label, row.probs" },
  multi: { python: 'row["labels"]', javascript: "row.labels" },
  regression: { python: 'row["value"], row["interval"]', javascript: "row.value, row.interval" },
};

/** Return the program of a kind that asks about `input` at `url`; `key`: whether the service wants one. */
export function snippet(kind, { url, input, task, key }) {
  return { curl, python: inPythonCode, javascript }[kind](url, input, ANSWER[task], key);
}

function curl(url, input, answer, key) {
  const lines = [`curl ${shell(url)}`, "-H 'content-type: application/json'"];
  if (key) lines.push('-H "authorization: Bearer $LIMBECK_SERVE_KEY"');
  return [...lines, `-d ${shell(json({ input }))}`].join(" \\\n  ");
}

function inPythonCode(url, input, answer, key) {
  const headers = ['"content-type": "application/json"'];
  if (key) headers.push('"authorization": "Bearer " + os.environ["LIMBECK_SERVE_KEY"]');
  return `import json
${key ? "import os\n" : ""}import urllib.request

request = urllib.request.Request(
    ${python(url)},
    data=json.dumps({"input": ${python(input)}}).encode(),
    headers={${headers.join(", ")}},
)
with urllib.request.urlopen(request) as answer:
    for row in json.load(answer)["data"]:
        print(${answer.python})
`;
}

function javascript(url, input, answer, key) {
  const headers = ['"content-type": "application/json"'];
  if (key) headers.push("authorization: `Bearer ${process.env.LIMBECK_SERVE_KEY}`");
  return `const answer = await fetch(${json(url)}, {
  method: "POST",
  headers: { ${headers.join(", ")} },
  body: JSON.stringify({ input: ${json(input)} }),
});
if (!answer.ok) throw new Error(await answer.text());
for (const row of (await answer.json()).data) console.log(${answer.javascript});
`;
}
