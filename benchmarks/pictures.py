"""Draw the README's pictures from benchmarks/results, into docs/pictures/.

python benchmarks/pictures.py
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from measure import read_results
from readme_machines import cores_of

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


def main() -> None:
    """Draw everything."""
    for name, result in read_results("encode").items():
        encoding(result, Look(), f"encode-{name}")


if __name__ == "__main__":
    main()
