"""The table of windows in docs/long_texts.md: what reading heads, tails or both ends of long reviews is worth.

In: benchmarks/results/window.json and window-probe.json. Out: rows of cells. It does not know where they stand.
"""

from measure import RESULTS, read_result

METHODS = {"window": "all weights fine-tuned, one epoch", "window-probe": "probe on every layer"}
Rows = list[list[str]]


def windows() -> Rows:
    """Each window's accuracy on IMDb's test reviews, and what it has more than the head."""
    rows = [["IMDb, embedded encoder, 256 tokens", "`--window`", "test accuracy", "more than `head`, points", "seeds"]]
    for name, method in METHODS.items():
        found = read_result(name) if (RESULTS / f"{name}.json").exists() else {"windows": {}}
        for window, one in found["windows"].items():
            low, high = one["interval"]
            least, most = (100 * end for end in one["more_than_head_interval"])
            more = "" if window == "head" else f"{100 * one['more_than_head']:+.1f} ({least:+.1f} – {most:+.1f})"
            accuracy = f"{one['accuracy']:.3f} ({low:.3f} – {high:.3f})"
            rows.append([method, f"`{window}`", accuracy, more, str(len(found["seeds"]))])
    return rows
