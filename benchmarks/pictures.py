"""Draw the README's pictures from benchmarks/results, into docs/pictures/.

python benchmarks/pictures.py
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from measure import read_results
from readme_machines import cores_of
from readme_serving import CALLED, LIMITS_MS

from limbeck.reporting.picture import Caption, Look, paint

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
OURS = "limbeck"
WORKLOADS = {
    "mini emotion": "MiniLM 6 × 384, tweets",
    "mini imdb": "MiniLM 6 × 384, reviews",
    "base emotion": "DistilBERT-base, tweets",
    "base imdb": "DistilBERT-base, reviews",
}


def encoding(result: dict[str, Any], look: Look, name: str) -> None:
    """Draw how many times as fast as each peer limbeck encodes, a panel a workload, a logarithmic scale."""
    title = f"How many times as fast as each peer limbeck turns texts into vectors: {cores_of(result)}"
    found = {workload: one["contestants"] for workload, one in result["workloads"].items()}
    first, *others = found.values()
    everywhere = [peer for peer in first if peer != OURS and all(peer in one for one in others)]
    peers = sorted(everywhere, key=lambda peer: first[peer]["ours_is_times"])
    figures = {workload: [one[peer]["ours_is_times"] for peer in peers] for workload, one in found.items()}
    values = [value for values in figures.values() for value in values]
    ends = (0.9 * min(values) if min(values) < 1 else 1, 2 * max(values))

    def draw(figure: "Figure") -> None:
        figure.set_size_inches(11, 0.36 * len(peers) + 1.2)
        panels = figure.subplots(1, len(figures), sharey=True, squeeze=False)[0]
        for place, (panel, (workload, times)) in enumerate(zip(panels, figures.items(), strict=True)):
            panel.barh(peers, times, color=look.theme.series[place], height=0.66)
            panel.set_xscale("log")
            panel.set_xlim(*ends)
            ticks = [tick for tick in (1, 2, 5, 10, 100) if tick <= ends[1] and (tick in (1, 10, 100) or ends[1] < 20)]
            panel.set_xticks(ticks, [f"{tick}×" for tick in ticks])
            panel.minorticks_off()
            panel.set_title(WORKLOADS[workload], fontsize=9, loc="left")
            panel.invert_yaxis() if not place else None
            panel.spines[["top", "right"]].set_visible(False)
            panel.tick_params(axis="y", length=0, labelsize=8)
            panel.tick_params(axis="x", labelsize=8)
            for row, value in enumerate(times):
                panel.text(value * 1.08, row, f"{value:.1f}×", va="center", fontsize=8)
        figure.suptitle(title, fontsize=12, x=0.01, ha="left")

    spoken = "; ".join(
        f"{WORKLOADS[workload]}: " + ", ".join(f"{peer} {value:.1f}" for peer, value in zip(peers, values, strict=True))
        for workload, values in figures.items()
    )
    caption = Caption(title=title, description=spoken, texts=(*peers, *WORKLOADS.values()))
    paint(caption, draw, look=look).write(FOLDER, name)


def serving(result: dict[str, Any], look: Look, name: str) -> None:
    """Draw the rates that each server holds, and what it answers in time under overload."""
    title = f"limbeck serve and others over the same model: {cores_of(result)}"
    servers = {CALLED[key].replace("`", ""): one for key, one in result["servers"].items() if "not_measured" not in one}
    limits, overloads = LIMITS_MS, list(next(iter(servers.values()))["overload"])
    rates = {
        limit: [one["tweets"]["rate_with_p99_ms"][limit]["median"] for one in servers.values()] for limit in limits
    }
    answered = {key: [one["overload"][times]["good_per_s"] for times in overloads] for key, one in servers.items()}
    theme = look.theme

    def draw(figure: "Figure") -> None:
        figure.set_size_inches(11, 3.6)
        bars, lines = figure.subplots(1, 2, width_ratios=(5, 4))
        rows = range(len(servers))
        for place, (limit, values) in enumerate(rates.items()):
            at = [row + (place - 0.5) * 0.38 for row in rows]
            bars.barh(at, values, height=0.36, color=theme.series[place], label=f"99 % within {limit} ms")
            for row, value in zip(at, values, strict=True):
                bars.text(value, row, f" {value:.0f}", va="center", fontsize=8)
        bars.set_yticks(list(rows), list(servers))
        bars.invert_yaxis()
        bars.set_title("requests per second, a tweet each", fontsize=9, loc="left")
        bars.legend(fontsize=8, frameon=False, loc="lower right")
        for place, (key, values) in enumerate(answered.items()):
            lines.plot(overloads, values, marker="o", color=theme.series[place], label=key)
        lines.set_title("answered within 1 s, per second, when more comes", fontsize=9, loc="left")
        lines.set_xlabel("times the highest rate that the server holds", fontsize=8)
        lines.set_xticks(overloads, [f"{times}×" for times in overloads])
        lines.set_ylim(bottom=0)
        lines.legend(fontsize=8, frameon=False)
        for panel in (bars, lines):
            panel.spines[["top", "right"]].set_visible(False)
            panel.tick_params(labelsize=8)
        figure.suptitle(title, fontsize=12, x=0.01, ha="left")

    spoken = "; ".join(
        f"{key}: {', '.join(f'{rates[limit][row]:.0f} within {limit} ms' for limit in limits)}; under overload "
        + ", ".join(f"{times} times {value:.0f}" for times, value in zip(overloads, answered[key], strict=True))
        for row, key in enumerate(servers)
    )
    paint(Caption(title=title, description=spoken, texts=tuple(servers)), draw, look=look).write(FOLDER, name)


def main() -> None:
    """Draw everything."""
    for name, result in read_results("encode").items():
        encoding(result, Look(), f"encode-{name}")
    for name, result in read_results("serve").items():
        serving(result, Look(), f"serve-{name}")


if __name__ == "__main__":
    main()
