"""Charts: readable, reproducible, and honest about what they leave out."""

import subprocess
import sys
import xml.etree.ElementTree as ET
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.ticker import AutoLocator

from limbeck.errors import DataError
from limbeck.reporting import charts, picture
from limbeck.reporting.picture import Look
from limbeck.reporting.themes import DARK
from limbeck.reporting.words import ENGLISH, KOREAN

EMOTIONS = ("sadness", "joy", "love", "anger", "fear", "surprise")
HANGUL = ("슬픔", "기쁨", "사랑", "분노", "두려움", "놀람")
LONG = (
    "a very long name of a class that nobody would want to read in a chart at all",
    "아주 긴 한국어 라벨 이름이라서 차트에 들어가지 않을 수도 있는 이름",
    "x",
    "Customer complaint: delivery/late/second reminder sent",
    "Unbreakable_Donaudampfschifffahrtsgesellschaftskapitän",
    "$price$ = 3$ & <b>",
)
KOREAN_DARK = Look(theme=DARK, words=KOREAN)
COUNTS = {"train": (4666, 5362, 1304, 2159, 1937, 572), "validation": (550, 704, 178, 275, 212, 81)}


def matrix(classes, rows=50):
    """A confusion matrix in which most rows are right."""
    generator = np.random.default_rng(0)
    shares = 0.7 * np.eye(classes) + 0.3 * generator.dirichlet(np.full(classes, 0.5), classes)
    return np.array([generator.multinomial(rows, share / share.sum()) for share in shares])


@pytest.fixture
def figures(monkeypatch):
    """The matplotlib figures that were drawn, to measure what stands where."""
    drawn = []
    replace = picture._replace_uncovered

    def keep(figure, uncovered):
        replace(figure, uncovered)
        drawn.append(figure)

    monkeypatch.setattr(picture, "_replace_uncovered", keep)
    return drawn


def boxes(texts):
    """Where visible texts stand, in pixels."""
    return [text.get_window_extent() for text in texts if text.get_visible() and text.get_text()]


def overlaps(one, other):
    """Whether two boxes share more than a pixel."""
    return min(one.x1, other.x1) - max(one.x0, other.x0) > 1 and min(one.y1, other.y1) - max(one.y0, other.y0) > 1


def check_layout(figure):
    """No two tick labels of an axis overlap, and every text lies inside the figure."""
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            labels = boxes(axis.get_ticklabels())
            assert not [pair for pair in pairwise(labels) if overlaps(*pair)]
        inside = figure.bbox
        for box in boxes([*axes.texts, *axes.get_xticklabels(), *axes.get_yticklabels(), axes.xaxis.label, axes.title]):
            assert inside.x0 - 1 <= box.x0 <= box.x1 <= inside.x1 + 1
            assert inside.y0 - 1 <= box.y0 <= box.y1 <= inside.y1 + 1


def check_forms(drawn):
    """A PNG of a fair size and an SVG that parses, without fonts, dates or scripts."""
    assert drawn.png.startswith(b"\x89PNG\r\n\x1a\n")
    sizes = [int.from_bytes(drawn.png[start : start + 4], "big") for start in (16, 20)]
    assert all(300 < size < 8000 for size in sizes)
    root = ET.fromstring(drawn.svg)  # noqa: S314  our own text
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert not tags & {"text", "script", "date"}


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(EMOTIONS, id="emotions", marks=pytest.mark.slow),
        pytest.param(HANGUL, id="hangul"),
        pytest.param(LONG, id="long", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize(
    "look", [pytest.param(Look(), id="light-en", marks=pytest.mark.slow), pytest.param(KOREAN_DARK, id="dark-ko")]
)
def test_charts_of_six_classes(figures, caplog, names, look):
    """Both charts, both themes and languages: no warning, no log line, no overlap, whole files."""
    for drawn in (
        charts.class_frequency(COUNTS, names, look=look),
        charts.confusion_matrix(matrix(6), names, look=look),
    ):
        check_forms(drawn)
    for figure in figures:
        figure.draw_without_rendering()  # texts stand where the last drawing put them, and a PNG has dots of its own
        check_layout(figure)
    assert not caplog.records


@pytest.mark.slow
@pytest.mark.usefixtures("unsaved")
@pytest.mark.parametrize("classes", [2, 12, 30])
def test_confusion_matrices_from_two_to_thirty_classes(figures, classes):
    """Each cell has its number, inside the cell."""
    names = [f"topic {label}" if label % 2 else f"주제 {label}" for label in range(classes)]
    charts.confusion_matrix(matrix(classes), names)
    (figure,) = figures
    figure.draw_without_rendering()
    check_layout(figure)
    (axes,) = figure.axes
    assert len(axes.texts) == classes**2
    side = axes.get_window_extent().width / classes
    assert max(box.width for box in boxes(axes.texts)) < 0.95 * side


@pytest.mark.usefixtures("unsaved")
def test_cells_tell_none_from_a_few_and_from_no_rows(figures):
    """A 0 is none at all, 0.00 is some, a dash is a class without rows."""
    counts = np.array([[999, 1, 0], [0, 5, 5], [0, 0, 0]])
    drawn = charts.confusion_matrix(counts, ("a", "b", "c"))
    shown = [text.get_text() for text in figures[0].axes[0].texts]
    assert shown == ["1.00", "0.00", "0", "0", "0.50", "0.50", "–", "–", "–"]
    assert "b → c 0.50" in drawn.description


@pytest.mark.usefixtures("unsaved")
def test_class_frequency_is_sorted_with_counts_and_shares(figures):
    """Most frequent first, in every panel the same order; the number stands at the bar."""
    drawn = charts.class_frequency(COUNTS, EMOTIONS)
    train, validation = figures[0].axes
    names = [label.get_text() for label in train.get_yticklabels()]
    assert names == ["joy", "sadness", "anger", "fear", "love", "surprise"]
    assert train.get_ylim()[0] > train.get_ylim()[1]
    assert train.texts[0].get_text() == "5,362 (33.5 %)"
    assert validation.texts[5].get_text() == "81 (4.05 %)"
    assert train.get_xlim() == validation.get_xlim()
    assert "train: joy 5,362, sadness 4,666" in drawn.description


@pytest.mark.slow
def test_many_classes_are_counted_together_and_said(figures):
    """Beyond the bars that can be read, the rarest share a line; a notice says how many."""
    drawn = charts.class_frequency({"train": range(1, 101)}, [f"c{label}" for label in range(100)])
    assert drawn.notices == ("the 40 rarest of 100 classes are counted together",)
    assert figures[0].axes[0].texts[-1].get_text() == f"{sum(range(1, 41)):,} (16.2 %)"
    check_forms(drawn)


@pytest.mark.slow
@pytest.mark.usefixtures("unsaved")
def test_large_matrix_shows_the_classes_with_most_errors(figures, monkeypatch):
    """Of ten classes the six with the most errors are shown, and both picture and notices say so."""
    monkeypatch.setattr(charts, "MOST_CELLS", 6)
    counts = np.diag(np.full(10, 100))
    counts[np.arange(5, 10), np.arange(4, 9)] = 5
    drawn = charts.confusion_matrix(counts, [f"c{label}" for label in range(10)])
    said = ENGLISH.confusion_part.format(shown=6, count=10)
    assert drawn.notices == (said,)
    assert said in figures[0].get_supxlabel()
    shown = [label.get_text() for label in figures[0].axes[0].get_yticklabels()]
    assert shown == ["c4 (100)", *(f"c{label} (105)" for label in range(5, 10))]


@pytest.mark.slow
@pytest.mark.usefixtures("unsaved")
def test_shortened_names_are_given_in_full():
    """What the picture cuts, the notices and the description keep."""
    drawn = charts.confusion_matrix(matrix(6), LONG)
    (notice,) = drawn.notices
    assert LONG[0] in notice
    assert "Customer" in drawn.description


@pytest.mark.usefixtures("unsaved")
def test_character_without_font_is_replaced_and_said(figures):
    """A sign that no font has shows as a question mark, with a notice of which it was."""
    drawn = charts.class_frequency({"train": [1, 2]}, ["a\U000e0fff", "b"])
    assert "a?" in [label.get_text() for label in figures[0].axes[0].get_yticklabels()]
    assert "U+E0FFF" in drawn.notices[0]


@pytest.mark.slow
@pytest.mark.parametrize("names", [EMOTIONS, HANGUL])
def test_same_input_same_bytes_and_settings_left_alone(names):
    """Two drawings are equal to the byte; matplotlib's own settings are as they were."""
    before = dict(mpl.rcParams)
    one, again = (charts.confusion_matrix(matrix(6), names) for _ in range(2))
    assert (one.png, one.svg) == (again.png, again.svg)
    assert dict(mpl.rcParams) == before


@pytest.mark.slow
def test_settings_of_the_user_do_not_reach_our_pictures():
    """A matplotlibrc that asks for TeX, dark paper or huge type changes nothing."""
    plain = charts.class_frequency(COUNTS, EMOTIONS)
    with mpl.rc_context({"text.usetex": True, "font.size": 40, "axes.facecolor": "black"}):
        assert charts.class_frequency(COUNTS, EMOTIONS).svg == plain.svg


@pytest.mark.slow
def test_pyplot_is_never_imported():
    """No window system, no global figure: pyplot stays out, and importing charts does not even import matplotlib."""
    program = (
        "import sys; from limbeck.reporting import charts, page;"
        "assert 'matplotlib' not in sys.modules and 'rich' not in sys.modules;"
        "charts.class_frequency({'train': [1, 2]}, ['a', 'b']); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_picture_is_written_as_png_and_svg(tmp_path):
    """Two files, whole."""
    drawn = charts.class_frequency(COUNTS, EMOTIONS)
    drawn.write(tmp_path / "charts", "classes")
    assert (tmp_path / "charts" / "classes.png").read_bytes() == drawn.png
    assert (tmp_path / "charts" / "classes.svg").read_text(encoding="utf-8") == drawn.svg


def test_counts_that_do_not_fit_are_refused():
    """Counts and names must belong together."""
    with pytest.raises(DataError, match="label names"):
        charts.class_frequency({"train": [1, 2, 3]}, ["a", "b"])
    with pytest.raises(DataError, match="label names"):
        charts.class_frequency({}, ["a", "b"])
    with pytest.raises(DataError, match="label names"):
        charts.confusion_matrix(np.eye(3), ["a", "b"])


@pytest.mark.parametrize("highest", [0.05, 0.207, 0.35, 0.7, 1.0])
def test_a_tick_of_shares_says_where_it_stands(highest):
    """Wherever matplotlib puts ticks, 2.5 % included, the words are the place and not a rounded one."""
    for place in AutoLocator().tick_values(0, highest):
        said = charts.percent_tick(place)
        assert said.endswith(" %")
        assert float(said[:-2]) / 100 == pytest.approx(place, abs=1e-12)
