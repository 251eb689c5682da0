"""The tables in docs/scale.md: hours by number of texts (computed), and what work in units costs.

In: benchmarks/results/encode-*.json and units_rates.json. Out: rows of cells by machine. It does not know where they
stand.
"""

from measure import read_result, read_results
from readme_machines import whole_machine_of
from readme_speed import OURS, WORKLOADS, titled

COUNTS = {"1 million texts": 1e6, "10 million": 1e7, "100 million": 1e8, "1,000 million": 1e9}
MOST_HOURS = 48
"""Longer times are said in days."""
FLOAT_BYTES = 4
WIDTHS = {"MiniLM": 384, "base": 768}
Rows = list[list[str]]


def hours() -> dict[str, Rows]:
    """How long each number of texts takes on one machine, by model and kind of text, and what their vectors take."""
    return {titled(result): _hours(result["workloads"]) for result in read_results("encode").values()}


def _hours(workloads: dict[str, dict]) -> Rows:
    speeds = {name: one["contestants"][OURS]["texts_per_s"] for name, one in workloads.items()}
    vectors = [f"vectors, {name}" for name in WIDTHS]
    rows = [["computed: count ÷ measured speed", *(WORKLOADS[name] for name in speeds), *vectors]]
    for said, count in COUNTS.items():
        room = [f"{count * width * FLOAT_BYTES / 1e9:,.1f} GB" for width in WIDTHS.values()]
        rows.append([said, *(lasting(count / speed / 3600) for speed in speeds.values()), *room])
    return rows


def lasting(hours: float) -> str:
    """Say a time in hours, or in days where it is long."""
    return f"{hours:,.1f} hours" if hours < MOST_HOURS else f"{hours / 24:,.0f} days"


def rates() -> dict[str, Rows]:
    """What work in units costs beside one process, and memory over a long run."""
    found = read_result("units_rates")["rates"]
    rows = [[f"MiniLM, drawn tweets: {found['rows']:,}", "start, s", "rows/s after it"]]
    for way, one in found["ways"].items():
        rows.append([way, f"{one['start_s']:.1f}", f"{one['rows_per_s_after_start']:,}"])
    return {f"**{whole_machine_of(found['machine'])}**": rows}
