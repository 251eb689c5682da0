"""The tables of `limbeck serve` in docs/measured.md and docs/serving.md, one a machine: rates, overload, cost.

In: benchmarks/results/serve-*.json. Out: rows of cells by machine. It does not know where they stand.
"""

from typing import Any

from measure import read_results
from readme_machines import cores_of
from readme_speed import PICTURES, rate

OURS = "limbeck"
CALLED = {
    OURS: "limbeck serve",
    "fastapi": "FastAPI and `pipeline`",
    "litserve": "LitServe",
    "infinity": "infinity",
    "ray": "Ray Serve",
}
LIMITS_MS = ("50", "200")
Rows = list[list[str]]


def serving() -> dict[str, Rows]:
    """Every server: what it holds, what is left of it under overload, what it costs."""
    found = read_results("serve").items()
    return {f"**{cores_of(result)} ({result['engine']})**{_picture(name)}": _serving(result) for name, result in found}


def rates_within(result: dict[str, Any], limit_ms: str) -> dict[str, tuple[float, float | None]]:
    """Return the requests per second of each server that was measured, and how often ours is that."""
    return {
        CALLED[name]: (one["median"], one["ours_is_times"])
        for name, entry in result["servers"].items()
        if "not_measured" not in entry
        for one in [entry["tweets"]["rate_with_p99_ms"][limit_ms]]
    }


def _serving(result: dict[str, Any]) -> Rows:
    overloads = list(result["servers"][OURS]["overload"])
    rows = [
        [
            "one tweet per request",
            *(f"requests per second with p99 ≤ {limit} ms" for limit in LIMITS_MS),
            *(f"the same, every tenth a review, ≤ {limit} ms" for limit in LIMITS_MS),
            *(f"answered within 1 s at {times} times its highest rate" for times in overloads),
            "one text at a time, p50 / p99 ms",
            "processor seconds per 1,000 texts",
            "start, s",
        ]
    ]
    for name, entry in result["servers"].items():
        if "not_measured" in entry:
            rows.append([f"{CALLED[name]}: did not start here", *("-" for _ in rows[0][1:])])
            continue
        tweets = [entry["tweets"]["rate_with_p99_ms"][limit] for limit in LIMITS_MS]
        mix = entry["mix"]["rate_with_p99_ms"] if "mix" in entry else {}
        one = entry["one_text"]
        rows.append(
            [
                CALLED[name],
                *(rate(found["median"]) + ("" if name == OURS else f" ({_times(found)})") for found in tweets),
                *(rate(mix.get(limit)) if mix.get(limit) else "none" for limit in LIMITS_MS),
                *(f"{entry['overload'][times]['goodput']:.0%}" for times in overloads),
                f"{one['p50_ms']:.1f} / {one['p99_ms']:.1f}",
                f"{entry['processor_s_per_1000_texts']:.1f}",
                f"{entry['start_s']:.1f}",
            ]
        )
    return rows


def _times(found: dict[str, Any]) -> str:
    return f"{found['ours_is_times']:.1f}×" if found["median"] else "holds none"


def _picture(name: str) -> str:
    drawn = (PICTURES / f"serve-{name}.png").exists()
    return (
        f"\n\n![What each server holds, and what is left of it under overload](pictures/serve-{name}.png)"
        if drawn
        else ""
    )
