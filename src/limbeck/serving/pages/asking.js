// Asking the service: one request at a time, waiting as long as a busy service says, and saying what it says.

export class Refused extends Error {}

/** Where a route lies, also behind a proxy that puts the service into a folder. */
export const address = (route) => new URL(route, new URL(".", location.href)).href;

let key = sessionStorage.getItem("limbeck.key");

export const hasKey = () => key !== null;

export function useKey(value) {
  key = value;
  if (value === null) sessionStorage.removeItem("limbeck.key");
  else sessionStorage.setItem("limbeck.key", value);
}

/** Fetch a route with the key. */
export function fetched(route, options = {}) {
  const headers = { ...options.headers, ...(key === null ? {} : { authorization: `Bearer ${key}` }) };
  return fetch(address(route), { ...options, headers, cache: "no-store", credentials: "same-origin" });
}

/**
 * POST JSON and return the decoded answer.
 * onWait is told the seconds until the next try where the service is busy; signal ends it at once.
 */
export async function ask(route, body, { signal, onWait = () => {} } = {}) {
  for (let tries = 0; ; tries++) {
    const answer = await fetched(route, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal,
    });
    if (answer.ok) return answer.json();
    const said = await answer.json().catch(() => ({}));
    const busy = answer.status === 429 || answer.status === 503;
    if (!busy || tries >= 20) throw new Refused(said.error ?? `${answer.status} ${answer.statusText}`);
    const seconds = Math.min(60, Math.max(1, Number(answer.headers.get("retry-after")) || 1));
    onWait(seconds);
    await paused(seconds * 1000, signal);
  }
}

function paused(ms, signal) {
  return new Promise((done, failed) => {
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      failed(signal.reason);
    }, { once: true });
  });
}
