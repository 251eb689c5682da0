"""The tables of speed in docs/measured.md, one a machine: encoding, what it costs, fine-tuning.

In: benchmarks/results/encode-*.json and train-*.json. Out: rows of cells by machine. It does not know where they stand.
"""

from pathlib import Path
from typing import Any

from measure import read_results
from readme_machines import cores_of

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
OURS, EXACT = "limbeck", "limbeck float32"
WORKLOADS = {
    "mini emotion": "MiniLM, tweets",
    "mini imdb": "MiniLM, reviews",
    "base emotion": "base, tweets",
    "base imdb": "base, reviews",
}
Rows = list[list[str]]


def encoding() -> dict[str, Rows]:
    """Every contestant on every workload: its texts a second, and how often ours is that."""
    found = read_results("encode").items()
    return {titled(result) + _picture(f"encode-{name}"): _encoding(result) for name, result in found}


def _encoding(result: dict[str, Any]) -> Rows:
    found = {name: one["contestants"] for name, one in result["workloads"].items()}
    rows = [["texts/s (ours is × times as fast)", *(WORKLOADS[name] for name in found)]]
    for name in dict.fromkeys(name for one in found.values() for name in one):
        entries = [one.get(name) for one in found.values()]
        rows.append([name, *(_times(entry, rate(entry and entry["texts_per_s"]), name) for entry in entries)])
    return [*rows, *_shares(result, [one[OURS] for one in found.values()])]


def drift() -> dict[str, Rows]:
    """How far each contestant is from float32, and how long one text takes it."""
    return {titled(result): _drift(result) for result in read_results("encode").values()}


def _drift(result: dict[str, Any]) -> Rows:
    moved, single = result["drift"].get("mini emotion", {}), result["one_text"]
    checked = result.get("checked", {}).get("mini", {})
    sizes = {"mini": "MiniLM", "base": "base"}
    rows = [["against float32, tweets of emotion", "worst cosine distance", "labels that change",
             *(f"one text, p50 / p99 ms, {sizes[size]}" for size in single)]]  # fmt: skip
    for name in dict.fromkeys(name for one in single.values() for name in one["contestants"]):
        cells = ["-", "-"]
        if name == EXACT:
            cells = ["0", "0"]
        elif name in moved and not name.startswith("pipeline"):  # its mean takes the padding in
            cells = [f"{moved[name]['worst_cosine']:.1e}", f"{moved[name]['flips']:.2%}"]
        elif name in checked:
            cells[0] = f"{checked[name]:.1e}"
        for one in single.values():
            entry = one["contestants"].get(name)
            cells.append(f"{entry['p50_ms']:.1f} / {entry['p99_ms']:.1f}" if entry else "-")
        rows.append([name, *cells])
    return rows


def training() -> dict[str, Rows]:
    """Seconds of an epoch of emotion, by contestant and size, and how many times that is of ours."""
    return {titled(result): _training(result) for result in read_results("train").values()}


def _training(result: dict[str, Any]) -> Rows:
    found = {size: one["contestants"] for size, one in result["sizes"].items()}
    names = {"mini": "MiniLM, tweets", "base": "base, tweets"}
    rows = [["seconds per epoch of 16,000 tweets (ours is × times as fast)", *(names[size] for size in found)]]
    for name in dict.fromkeys(name for one in found.values() for name in one):
        entries = [one.get(name) for one in found.values()]
        rows.append([name, *(_times(entry, f"{entry['epoch_s']:,.0f}" if entry else "-", name) for entry in entries)])
    return [*rows, *_shares(result, [one[OURS] for one in found.values()])]


def rate(value: float | None) -> str:
    """Say a number of things a second."""
    return "-" if value is None else f"{value:,.0f}" if value >= 20 else f"{value:.1f}"


def titled(result: dict[str, Any]) -> str:
    """Return the title of a machine's table."""
    return f"**{cores_of(result)} ({result['engine']})**"


def _picture(name: str) -> str:
    """Return the picture of a table where `pictures.py` has drawn it."""
    drawn = (PICTURES / f"{name}.png").exists()
    return f"\n\n![How many times as fast as each peer limbeck encodes](pictures/{name}.png)" if drawn else ""


def _times(entry: dict[str, Any] | None, said: str, name: str) -> str:
    return said if entry is None or name == OURS else f"{said} ({entry['ours_is_times']:.1f}×)"


def _shares(result: dict[str, Any], ours: list[dict[str, Any]]) -> Rows:
    return [
        ["limbeck, GFLOP/s on real tokens", *(f"{entry['gflops']:,.0f}" for entry in ours)],
        [f"… of the peak in the same run: {result['peak_of']}", *(f"{entry['share_of_peak']:.0%}" for entry in ours)],
    ]
