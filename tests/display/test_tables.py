"""Tables: the evaluation's numbers as strings, aligned and escaped."""

import numpy as np
import pytest

from limbeck.display.tables import Table
from limbeck.evaluation.evaluation import evaluate
from limbeck.evaluation.measured import brief
from limbeck.evaluation.summary_table import summary_table


@pytest.fixture
def evaluation():
    """Four rows, three right."""
    probabilities = np.eye(2)[[0, 0, 1, 0]]
    return evaluate(probabilities, np.array([0, 0, 1, 1]), ("기쁨", "a|b"), majority_label=0, resamples=50)


def test_summary_stands_beside_its_baseline(evaluation):
    """One line an evaluation with all four scores, their intervals and the majority class."""
    (line,) = summary_table({"validation": evaluation}).rows
    assert line[:2] == ("validation", "4")
    assert line[2] == brief(evaluation.accuracy)
    assert line[2].startswith("0.750 (")
    assert line[-2:] == ("0.500", "0.333")


def test_tables_of_classes_and_confusions(evaluation):
    """Per class, per cell and in words."""
    assert evaluation.class_table().rows[1][:3] == ("a|b", "2", "1")
    assert evaluation.confusion_table().rows == (
        ("기쁨", "2 (1.00)", "0 (0.00)"),
        ("a|b", "1 (0.50)", "1 (0.50)"),
    )
    assert evaluation.worst_confusion_table().rows[0][:2] == ("a|b → 기쁨", "1")


def test_markdown_escapes_pipes():
    """A pipe in a name does not add a column."""
    table = Table(header=("label", "rows"), rows=(("a|b", "1"),))
    assert table.markdown() == "| label | rows |\n| --- | ---: |\n| a\\|b | 1 |\n"


def test_text_aligns_hangul():
    """Hangul counts as two columns, values stand to the right."""
    table = Table(header=("label", "rows"), rows=(("기쁨", "5"), ("joy", "10")))
    assert table.text() == "label  rows\n기쁨      5\njoy      10\n"
