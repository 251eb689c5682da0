"""Results at a prompt and in a notebook: two lines, and HTML that is bounded, escaped and readable on any ground."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limbeck.auditing.audit import audit
from limbeck.auditing.clean import clean
from limbeck.auditing.resplit import resplit
from limbeck.data.dataset import CORE_SCHEMA, Dataset, ReadNote
from limbeck.display.tables import Table, safe
from limbeck.display.unseen import show_unseen
from limbeck.display.views import MOST_LINE, MOST_ROWS, one_line
from limbeck.evaluation.comparison import compare_answers
from limbeck.evaluation.evaluation import evaluate
from limbeck.evaluation.hard_cases import find_hard_cases
from limbeck.evaluation.predictions import Predictions
from limbeck.evaluation.thresholds import Goal, choose_thresholds
from limbeck.experiments.run_comparison import RunAnswers, compare_runs
from limbeck.experiments.sweep_folder import Sweep, TrialFacts
from limbeck.review.corrections import correct
from limbeck.review.issues import find_label_issues
from limbeck.review.sheet import Decision, Sheet
from limbeck.settings import CleanSettings, SplitSettings

MOST_HTML = 60_000
"""Characters of HTML: twelve rows of a hundred and sixty characters in a few columns, and the style."""
HOSTILE = ("<script>alert(1)</script>", "기쁨\u202e", 'a"b|c\n\x1b[31md', "</table>&amp;", "x" * 3000)


class Reader(HTMLParser):
    """Gathers what a browser would make of a page."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.open, self.rows, self.text = [], [], 0, []
        self.attributes = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.open.append(tag)
        self.attributes += attrs
        self.rows += tag == "tr"

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text.append(data)


SYLLABLES = "가나다라마바사아자차카타파하"


def rows_of(names, count=120):
    """Labelled rows whose texts and labels are the names."""
    labels = [place % len(names) for place in range(count)]
    table = pa.table(
        {
            "row_id": [f"train:{place}" for place in range(count)],
            "split": pa.array(["train"] * count).dictionary_encode(),
            "text": [
                f"{SYLLABLES[place % 14] * (place // 14 + 3)} {names[label]}" for place, label in enumerate(labels)
            ],
            "label": pa.array(labels, pa.int32()),
        },
    )
    return Dataset(table=table.cast(CORE_SCHEMA), label_names=tuple(names), source="here")


def answers_of(names, count=120, seed=0, *, unsure=None):
    """Answers to those rows, some of them wrong."""
    data = rows_of(names, count)
    drawn = np.random.default_rng(seed).dirichlet(np.full(len(names), 0.2), size=count)
    return Predictions(
        row_ids=data.row_ids,
        label_names=names,
        probabilities=drawn,
        true_labels=data.table["label"],
        tokens=np.full(count, 9),
        truncated=np.zeros(count, bool),
        texts=data.texts,
        unsure=unsure,
    )


def trials_of(names):
    """A sweep of forty trials."""
    trials = tuple(
        TrialFacts(
            number=place, ended_early=False, figure=0.5 + place / 1000, epochs=2, seconds=1.0,
            values={"pooling": names[0], "learning_rate": 1e-5}, folder="trials/0000",
        )
        for place in range(40)
    )  # fmt: skip
    return Sweep(by="accuracy", budget_minutes=1.0, trials=trials)


def corrected(names):
    """One label of them changed."""
    decision = Decision(
        line=2, row_id="train:0", text=None, label=names[0], new_label=names[1], suggested_label=None, label_quality=""
    )
    return correct(rows_of(names), Sheet(decisions=(decision,), encoding="utf-8"))


def noted(names):
    """Rows with a note."""
    return replace(rows_of(names), notes=(ReadNote(what="rows", rows=1, example=names[0]),))


def evaluated(names):
    """An evaluation of answers."""
    return evaluate(answers_of(names).probabilities, answers_of(names).known_labels, names, resamples=50)


def compared(names):
    """Two classifiers on the same rows."""
    one, other = answers_of(names), answers_of(names, seed=1)
    return compare_answers(one.probabilities, other.probabilities, one.known_labels, names, resamples=50)


def with_thresholds(names):
    """A threshold for each class."""
    found = answers_of(names)
    return choose_thresholds(found.probabilities, found.known_labels, names, Goal(coverage=0.5, per_class=True))


MAKERS = {
    "dataset": rows_of,
    "noted dataset": noted,
    "evaluation": evaluated,
    "audit": lambda names: audit(rows_of(names)),
    "cleaning": lambda names: clean(rows_of(names), CleanSettings(drop=("exact-duplicates", "near-duplicates"))),
    "resplit": lambda names: resplit(rows_of(names), SplitSettings(validation_share=0.5, test_share=0.0)),
    "corrections": corrected,
    "issues": lambda names: find_label_issues(answers_of(names)),
    "hard cases": lambda names: find_hard_cases(answers_of(names)),
    "predictions": answers_of,
    "unsure predictions": lambda names: answers_of(names, unsure=np.arange(120) % 2 == 0),
    "comparison": compared,
    "thresholds": with_thresholds,
    "sweep": trials_of,
}
MANY = tuple(f"class {place}" for place in range(20))


@pytest.fixture(params=MAKERS)
def kind(request):
    """Every kind of result that is made of plain values."""
    return request.param


@pytest.mark.parametrize("names", [("joy", "sadness"), HOSTILE, MANY])
def test_a_result_is_two_lines_at_the_prompt(kind, names):
    """However many rows and classes: two lines of bounded length, which nothing in the data can end or colour."""
    lines = repr(MAKERS[kind](names)).split("\n")
    assert len(lines) == 2
    assert all(0 < len(line) <= MOST_LINE for line in lines)
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize("names", [("joy", "sadness"), HOSTILE, MANY])
def test_a_result_is_bounded_html_in_a_notebook(kind, names):
    """Well-formed, no longer than a screen or two, no script, nothing fetched, whatever texts and labels hold."""
    html = MAKERS[kind](names)._repr_html_()
    page = Reader(html)
    assert not page.open
    assert len(html) <= MOST_HTML
    assert page.rows <= 4 * (MOST_ROWS + 1)
    assert not {"script", "img", "link", "iframe", "a"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on") or name in ("src", "href")]
    assert "\u202e" not in html
    assert "\x1b" not in html


def test_no_ground_and_no_ink_of_its_own(kind):
    """Light or dark: text has the notebook's own colour, and what colours a cell lets the ground through."""
    html = MAKERS[kind](("joy", "sadness"))._repr_html_()
    inks = re.findall(r"[;{\"]\s*color:\s*([^;}\"]+)", html)
    grounds = re.findall(r"background(?:-color)?:\s*([^;}\"]+)", html)
    assert set(inks) <= {"inherit"}
    assert all(re.fullmatch(r"none|rgba\(\d+, \d+, \d+, 0\.[0-5]\d?\)", ground) for ground in grounds)


def test_korean_is_whole():
    """Korean labels and texts stand there as they are."""
    html = evaluated(("기쁨", "슬픔"))._repr_html_()
    assert "<bdi>기쁨</bdi>" in html
    assert "기쁨" in repr(evaluated(("기쁨", "슬픔")))


def test_what_is_left_out_is_counted():
    """Twenty classes in a table of twelve: the other eight are said."""
    html = evaluated(MANY)._repr_html_()
    assert "and 8 more rows" in html


def test_units_stand_by_the_numbers():
    """A loss is in nats, an interval says that it is of 95 %."""
    html = evaluated(("joy", "sadness"))._repr_html_()
    assert "log loss (nats)" in html
    assert "95 %" in html


def test_runs_side_by_side(tmp_path):
    """A comparison of files shows its verdict in two lines, and its tables in HTML."""
    from limbeck.evaluation.prediction_files import write_predictions

    for place in (0, 1):
        write_predictions(tmp_path / f"{place}.parquet", answers_of(("기쁨", "b"), seed=place))
    found = compare_runs([tmp_path / "0.parquet", tmp_path / "1.parquet"])
    assert isinstance(found.runs[0], RunAnswers)
    assert len(repr(found).split("\n")) == 2
    assert not Reader(found._repr_html_()).open


@given(st.text(max_size=400))
@settings(max_examples=100, deadline=None)
def test_any_text_is_shown_safely(text):
    """Whatever a text holds, HTML of it is text, in one `bdi`, and a line of it is one line."""
    html = safe(text)
    assert set(Reader(html).tags) <= {"bdi", "code"}
    inside = html.removeprefix("<bdi>").removesuffix("</bdi>")
    assert show_unseen(inside, lambda sign: "!") == inside
    line = one_line(text)
    assert len(line) <= MOST_LINE
    assert len(line.splitlines()) <= 1


def test_a_table_cut_at_its_end_keeps_shares_and_says_so():
    """Of five rows two are shown, and the shares go with them."""
    table = Table(header=("", "n"), rows=tuple((str(n), "1") for n in range(5)), shares=((0.1,),) * 5).first(2)
    assert len(table.rows) == len(table.shares) == 2
    assert "and 3 more rows" in table.html()


def test_pandas_has_the_same_numbers():
    """`to_pandas` of an evaluation and of predictions holds what their other forms hold."""
    found, answers = evaluated(("joy", "기쁨")), answers_of(("joy", "기쁨"))
    frame = found.to_pandas()
    assert frame["label"].tolist() == ["joy", "기쁨"]
    assert frame["recall_low"].tolist() == [one.recall.low for one in found.per_class]
    assert answers.to_pandas()["prediction"].tolist() == answers.predicted_names
    assert "top_2.label" in answers.to_pandas(top_k=2).columns


def test_the_baseline_of_rows_alone_is_their_largest_class():
    """Without a majority label the baseline says the most frequent label of the rows; values for JSON stay plain."""
    labels = np.array([1, 1, 0])
    found = evaluate(np.eye(2)[[0, 1, 0]], labels, ("a", "b"), resamples=20)
    assert found.baseline.label == "b"
    assert json.dumps(found.to_dict()["baseline"])
