"""Maps: no class is left out of the legend."""

import numpy as np
from matplotlib.figure import Figure

from limbeck.reporting.maps import Mapped, feature_map
from limbeck.reporting.plane import Plane


def test_names_that_begin_with_an_underscore_are_in_the_legend(monkeypatch) -> None:
    """Matplotlib leaves such names out of a legend by itself; here every class stands in it."""
    seen = []
    own = Figure.savefig

    def watched(figure, *args, **kept):
        seen.append([text.get_text().strip() for axes in figure.axes for text in axes.get_legend().get_texts()])
        return own(figure, *args, **kept)

    monkeypatch.setattr(Figure, "savefig", watched)
    points = np.random.default_rng(0).normal(size=(9, 2))
    mapped = Mapped(
        plane=Plane(points_N2=points, kind="PCA", shares=(0.5, 0.25)),
        labels_N=np.array([0, 0, 0, 0, 1, 1, 1, 2, 2]),
        said_N=np.zeros(9, int),
        label_names=("_a", "__label__b", "c"),
        of=9,
    )
    feature_map(mapped)
    assert {"_a", "__label__b", "c"} <= set(seen[0])
