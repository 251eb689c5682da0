"""Thresholds of a model of any number of labels: chosen on what it did not learn from, written, taken out; refusals."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.evaluation.shaped import LABELS, STEPS, shaped

from limbeck.errors import DataError, SettingsError
from limbeck.evaluation.conformal import ConformalWidth
from limbeck.evaluation.label_thresholds import LabelGoal, LabelThresholds, choose_label_thresholds
from limbeck.evaluation.prediction_files import write_predictions
from limbeck.evaluation.thresholds import Goal
from limbeck.model.answers_line import answers_line
from limbeck.model.bundle import Bundle, load_bundle, save_bundle
from limbeck.model.heads import LinearHead
from limbeck.runs.run_thresholds import clear_thresholds, write_any_thresholds
from limbeck.settings import HeadKind, TaskKind

MakeBundle = Callable[[HeadKind], Bundle]
WIDTH = ConformalWidth(level=0.9, half_width=1.25, rows=80, found_on="validation")


def shaped_bundle(make_bundle: MakeBundle, kind: TaskKind) -> Bundle:
    """A model of a shape that knows nothing."""
    made = make_bundle("linear")
    names: tuple[str, ...] = {"multi": LABELS, "ordinal": STEPS}.get(kind, ())
    facts = replace(
        made.facts,
        task=kind,
        label_names=names,
        thresholds=None,
        label_thresholds=(0.5,) * 4 if kind == "multi" else None,
        value_width=WIDTH if kind == "regression" else None,
    )
    return replace(made, facts=facts, head=LinearHead.zeros(facts.shape.n_logits(len(names)), made.head.n_features))


def shaped_run(folder: Path, make_bundle: MakeBundle, kind: TaskKind) -> Path:
    """A run folder with such a model and answers of its shape."""
    bundle = shaped_bundle(make_bundle, kind)
    save_bundle(bundle, folder / "bundle", card=f"# A model\n\n{answers_line(bundle.facts)}\n")
    for seed, name in enumerate(("validation", "out_of_fold")):
        write_predictions(folder / "predictions" / f"{name}.parquet", shaped(kind, 300, noise=0.2, seed=seed))
    return folder


@pytest.mark.parametrize("precision", [None, 0.6])
def test_thresholds_of_labels_are_written_into_the_bundle(
    tmp_path: Path, make_bundle: MakeBundle, precision: float | None
) -> None:
    """Those that `choose_label_thresholds` finds out of fold; the card says for what; --clear takes them out."""
    run = shaped_run(tmp_path / "run", make_bundle, "multi")
    found = write_any_thresholds(run, Goal(precision=precision))
    assert isinstance(found, LabelThresholds)
    unseen = shaped("multi", 300, noise=0.2, seed=1)
    expected = choose_label_thresholds(
        unseen.probabilities, unseen.known_targets, LABELS, LabelGoal(precision=precision)
    )
    np.testing.assert_array_equal(found.values, expected.values)
    facts = load_bundle(run / "bundle").facts
    assert facts.label_thresholds == tuple(expected.values.tolist())
    assert facts.provenance["label_thresholds"]["rows"] == 300
    card = (run / "bundle" / "README.md").read_text()
    assert ("a precision of 0.6, promised with confidence 0.95" if precision else "the largest F1") in card
    assert "on 300 rows" in card
    clear_thresholds(run)
    facts = load_bundle(run / "bundle").facts
    assert facts.label_thresholds is None
    assert "label_thresholds" not in facts.provenance
    assert "the labels with a probability of 0.5 or more" in (run / "bundle" / "README.md").read_text()


def test_validation_rows_serve_where_there_is_nothing_out_of_fold(tmp_path: Path, make_bundle: MakeBundle) -> None:
    """A model trained by gradients has no other rows that it did not learn from; a file that is given comes first."""
    run = shaped_run(tmp_path / "run", make_bundle, "multi")
    given = run / "predictions" / "out_of_fold.parquet"
    given = given.rename(tmp_path / "mine.parquet")
    for source, predictions in (("validation.parquet", None), ("mine.parquet", given)):
        write_any_thresholds(run, Goal(), predictions)
        assert load_bundle(run / "bundle").facts.provenance["label_thresholds"]["source"] == source


@pytest.mark.parametrize(
    ("kind", "goal", "said"),
    [
        ("multi", Goal(coverage=0.8), "a coverage is for one label per row"),
        ("multi", Goal(precision=0.6, per_class=True), "each label has one of its own"),
        ("ordinal", Goal(precision=0.9), r"\(ordinal\)\. The probabilities that limbeck predict writes"),
        ("regression", Goal(precision=0.9), r"\(regression\)\. limbeck predict gives each number an interval"),
    ],
)
def test_goals_without_meaning_are_refused(
    tmp_path: Path, make_bundle: MakeBundle, kind: TaskKind, goal: Goal, said: str
) -> None:
    """What a shape has no thresholds for is said, with what serves it instead; nothing is written."""
    run = shaped_run(tmp_path / "run", make_bundle, kind)
    before = (run / "bundle" / "limbeck.json").read_bytes()
    with pytest.raises(SettingsError, match=said):
        write_any_thresholds(run, goal)
    assert (run / "bundle" / "limbeck.json").read_bytes() == before


def test_a_precision_that_no_label_keeps_is_refused(tmp_path: Path, make_bundle: MakeBundle) -> None:
    """Nothing is written then; answers of another model are not chosen on."""
    run = shaped_run(tmp_path / "run", make_bundle, "multi")
    with pytest.raises(DataError, match=r"cannot be promised .* of any label.* Nothing was written"):
        write_any_thresholds(run, Goal(precision=0.9999))
    write_predictions(tmp_path / "other.parquet", replace(shaped("multi"), label_names=("a", "b", "c", "d")))
    with pytest.raises(DataError, match="is of another model"):
        write_any_thresholds(run, Goal(), tmp_path / "other.parquet")
    write_predictions(tmp_path / "numbers.parquet", shaped("regression"))
    with pytest.raises(DataError, match="does not hold answers of any number of labels"):
        write_any_thresholds(run, Goal(), tmp_path / "numbers.parquet")


def test_the_reach_of_intervals_comes_back_with_the_bundle(tmp_path: Path, make_bundle: MakeBundle) -> None:
    """A fact of numbers alone: written, read to the same bits, and refused where it means nothing."""
    bundle = shaped_bundle(make_bundle, "regression")
    save_bundle(bundle, tmp_path / "model", card="# Card\n")
    assert load_bundle(tmp_path / "model").facts.value_width == WIDTH


def test_no_precision_is_promised_of_labels_with_parents(tmp_path: Path, make_bundle: MakeBundle) -> None:
    """A parent is given with its child, below its own threshold: only the largest F1 is chosen for."""
    bundle = shaped_bundle(make_bundle, "multi")
    names = ("role", "role::program", "role::library", "use")
    facts = replace(bundle.facts, label_names=names, label_parents=True)
    save_bundle(replace(bundle, facts=facts), tmp_path / "model", card="")
    source = tmp_path / "mine.parquet"
    write_predictions(source, replace(shaped("multi"), label_names=names))
    with pytest.raises(SettingsError, match="a parent is given wherever a child"):
        write_any_thresholds(tmp_path / "model", Goal(precision=0.6), source)
    assert isinstance(write_any_thresholds(tmp_path / "model", Goal(), source), LabelThresholds)
