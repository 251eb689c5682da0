"""The tables in docs/scale.md: hours by number of texts (computed), what work in units costs, and peers beside it.

In: benchmarks/results/encode-*.json, units_rates.json and units_peers.json. Out: rows of cells by machine. It does not
know where they stand.
"""

from measure import RESULTS, read_result, read_results
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


def peers() -> dict[str, Rows]:
    """Rows per second and memory of what others use for many texts; nothing where they were not measured."""
    if not (RESULTS / "units_peers.json").is_file():
        return {}
    found = read_result("units_peers")
    rows = [
        [f"MiniLM, tweets of {found['data']}: {found['rows']:,}", "rows/s", "of limbeck's speed", "peak memory, MiB"]
    ]
    for name, one in found["contestants"].items():
        said = {"limbeck": "`limbeck predict --out PARTS`", "datasets": "`datasets.map(num_proc=2)` and `pipeline`"}
        way = said.get(name, "Ray Data `map_batches` and `pipeline`")
        rows.append([way, f"{one['rows_per_s']:,.0f}", f"1 / {one['times_ours']:.1f}", f"{one['peak_mib']:,}"])
    return {f"**{whole_machine_of(found['machine'])}**": rows}
