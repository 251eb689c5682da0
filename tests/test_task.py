"""Task: what logits mean, and what answers decide, for each shape."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from limbeck.errors import SettingsError
from limbeck.settings import BestBy
from limbeck.task import MULTI, ORDINAL, REGRESSION, SINGLE, TASKS, Task, task_named

LOGITS = arrays(np.float64, array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.floats(-1e4, 1e4))


def test_tasks_are_found_by_name_or_the_names_are_told() -> None:
    """A name that a file or a flag gives is one of four tasks, or an error that lists them."""
    assert [task_named(name) for name in TASKS] == [SINGLE, MULTI, ORDINAL, REGRESSION]
    with pytest.raises(
        SettingsError, match=r"'multilabel' is not known: there are single \(one label per row\), multi"
    ):
        task_named("multilabel")


def test_heads_know_how_many_logits_a_task_has() -> None:
    """Ordered classes have a logit for each step between them, a number has one."""
    assert [task.n_logits(5) for task in TASKS.values()] == [5, 5, 4, 1]


def test_single_is_softmax_and_its_maximum() -> None:
    """Hand-computed: logits 0 and ln 3 are 1/4 and 3/4; of equal ones the first is decided."""
    answers = SINGLE.answers(np.array([[0.0, np.log(3)], [2.0, 2.0]]))
    np.testing.assert_allclose(answers, [[0.25, 0.75], [0.5, 0.5]], rtol=1e-6)
    assert SINGLE.decided(answers).tolist() == [[False, True], [True, False]]


def test_multi_decides_each_label_by_itself() -> None:
    """Hand-computed: logits 0 and -ln 3 are 1/2 and 1/4; a label's own threshold decides it, and none may be given."""
    answers = MULTI.answers(np.array([[0.0, -np.log(3)], [-9.0, -9.0]]))
    np.testing.assert_allclose(answers[0], [0.5, 0.25], rtol=1e-6)
    assert MULTI.decided(answers).tolist() == [[True, False], [False, False]]
    assert MULTI.decided(answers, np.array([0.6, 0.2])).tolist() == [[False, True], [False, False]]


def test_ordinal_is_differences_and_decides_the_median() -> None:
    """Hand-computed: above class 0 with 3/4, then above class 1 with 1/3: 1/4, 1/2, 1/4; the median is class 1."""
    answers = ORDINAL.answers(np.array([[np.log(3), -np.log(2)]]))
    np.testing.assert_allclose(answers, [[0.25, 0.5, 0.25]], rtol=1e-6)
    assert ORDINAL.decided(answers).tolist() == [[False, True, False]]
    # The most probable class is not the one that is nearest on average.
    assert ORDINAL.decided(np.array([[0.4, 0.25, 0.35]])).tolist() == [[False, True, False]]


@given(LOGITS)
def test_probabilities_are_probabilities(logits: np.ndarray) -> None:
    """None is negative, of one label per row they add to 1, and one class is decided, whatever the logits."""
    for task in (SINGLE, ORDINAL):
        answers = task.answers(logits)
        assert answers.dtype == np.float32
        assert (answers >= 0).all()
        np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-5)
        assert (task.decided(answers).sum(axis=1) == 1).all()
    assert ((MULTI.answers(logits) >= 0) & (MULTI.answers(logits) <= 1)).all()


@given(arrays(np.float64, (4, 5), elements=st.floats(0.01, 1)))
def test_the_median_is_nearest_on_average(weights: np.ndarray) -> None:
    """No class has a smaller expected distance in steps than the one that ordinal decides."""
    answers = weights / weights.sum(axis=1, keepdims=True)
    steps = np.abs(np.subtract.outer(np.arange(5), np.arange(5)))
    expected = answers @ steps
    decided = ORDINAL.decided(answers).argmax(axis=1)
    np.testing.assert_allclose(expected[np.arange(4), decided], expected.min(axis=1), atol=1e-9)


def test_numbers_are_their_own_answers() -> None:
    """Regression gives the logits as they are, and decides nothing."""
    assert REGRESSION.answers(np.array([[1.5], [-2.0]])).tolist() == [[1.5], [-2.0]]
    with pytest.raises(SettingsError, match="no labels to decide on"):
        REGRESSION.decided(np.zeros((2, 1)))


def test_what_a_task_is_not_served_by_is_said() -> None:
    """Whoever serves some shapes refuses the others: what it is for, what is here, what to do."""
    MULTI.require(("single", "multi"), doing="limbeck audit")
    with pytest.raises(
        SettingsError,
        match=r"^limbeck x is for one label per row; here it is any number of labels per row \(multi\). Ask on$",
    ):
        MULTI.require(("single",), doing="limbeck x", todo="Ask on")
    for task in (SINGLE, ORDINAL):
        with pytest.raises(SettingsError, match="a threshold per label is for any number of labels per row"):
            task.decided(np.ones((1, 2)) / 2, np.array([0.5, 0.5]))


@pytest.mark.parametrize(
    ("task", "by", "deciding"),
    [
        (SINGLE, "accuracy", "accuracy"),
        (MULTI, "accuracy", "f1_macro"),
        (MULTI, "f1_weighted", "f1_weighted"),
        (MULTI, "loss", "loss"),
        (ORDINAL, "accuracy", "accuracy"),
        (REGRESSION, "accuracy", "loss"),
    ],
)
def test_a_task_says_what_stands_for_a_figure_that_it_lacks(task: Task, by: BestBy, deciding: BestBy) -> None:
    """Label sets have no accuracy, numbers nothing but their loss."""
    assert task.deciding(by) == deciding
