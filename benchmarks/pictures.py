"""Draw the README's pictures from benchmarks/results, into docs/pictures/.

python benchmarks/pictures.py
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measure import RESULTS

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


def encoding(result: dict[str, Any], look: Look) -> None:
    """Draw how many times as fast as each peer limbeck encodes, a panel a workload, a logarithmic scale."""
    title = "How many times as fast as each peer limbeck turns texts into vectors"
    first = result["workloads"]["mini emotion"]["contestants"]
    peers = sorted((name for name in first if name != OURS), key=lambda name: first[name]["ours_is_times"])
    figures = {
        workload: [result["workloads"][workload]["contestants"][peer]["ours_is_times"] for peer in peers]
        for workload in WORKLOADS
    }

    def draw(figure: "Figure") -> None:
        figure.set_size_inches(11, 0.36 * len(peers) + 1.2)
        for place, (panel, (workload, spoken)) in enumerate(
            zip(figure.subplots(1, len(WORKLOADS), sharey=True), WORKLOADS.items(), strict=True)
        ):
            times = figures[workload]
            panel.barh(peers, times, color=look.theme.series[place], height=0.66)
            panel.set_xscale("log")
            panel.set_xlim(1, 130)
            panel.set_xticks([1, 10, 100], ["1×", "10×", "100×"])
            panel.set_title(spoken, fontsize=9, loc="left")
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
    paint(caption, draw, look=look).write(FOLDER, "encode")


def main() -> None:
    """Draw everything."""
    encoding(json.loads((RESULTS / "encode.json").read_text("utf-8")), Look())


if __name__ == "__main__":
    main()
