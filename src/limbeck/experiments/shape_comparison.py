"""Finished runs side by side where the answer is not one label per row: on the same rows, by every figure of the shape.

In: run folders, folders of seeds or files of predictions. Out: a `ShapeComparison`, or where a row has one label a
`RunComparison`. It does not know how the result is shown, and computes no prediction.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from limbeck.display.tables import Table
from limbeck.display.views import View
from limbeck.errors import DataError, SettingsError
from limbeck.evaluation.comparison import holm
from limbeck.evaluation.figure_comparison import FigureDifference, compare_figures
from limbeck.evaluation.measured import signed
from limbeck.evaluation.prediction_files import read_any_predictions
from limbeck.evaluation.prediction_tables import AnyPredictions
from limbeck.evaluation.same_rows import Sides, on_the_rows_of, task_of
from limbeck.experiments.run_comparison import RunComparison, Verdict, compare_runs, files_of_answers, verdict_of
from limbeck.task import SINGLE, Task


@dataclass(frozen=True, kw_only=True, eq=False)
class ShapeAnswers:
    """What one run, or several of one training with different seeds, said of the same rows.

    Attributes:
        name: the path as it was given.
        answers: one set of predictions a seed.
        fingerprint: of the data that it was trained on and judged by; None where it is not stated.
    """

    name: str
    answers: tuple[AnyPredictions, ...]
    fingerprint: str | None


@dataclass(frozen=True, kw_only=True, eq=False)
class ShapePair:
    """A run beside the first one.

    Attributes:
        first, second: names.
        figures: each with its difference and its p-value, which is corrected for the number of pairs (Holm).
        notes: what must be known when reading this, in words.
    """

    first: str
    second: str
    figures: tuple[FigureDifference, ...]
    notes: tuple[str, ...]

    def verdict(self, figure: FigureDifference) -> Verdict:
        """Say whether the second is shown to be better or worse in a figure."""
        return verdict_of(figure.p_value, is_better=figure.is_better)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "first": self.first,
            "second": self.second,
            "figures": {one.name: {**one.to_dict(), "verdict": self.verdict(one)} for one in self.figures},
            "notes": list(self.notes),
        }


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ShapeComparison(View):
    """Runs of one shape side by side.

    Attributes:
        split: whose rows.
        task: the shape of their answers.
        rows: how many rows have a known truth.
        runs: what they said, aligned: the same rows in the same order, the same order of labels.
        pairs: each later run beside the first.
    """

    split: str
    task: Task
    rows: int
    runs: tuple[ShapeAnswers, ...]
    pairs: tuple[ShapePair, ...]

    def _lines(self) -> tuple[str, str]:
        words = self.pairs[0].figures[0].words
        said = []
        for pair in self.pairs:
            one = pair.figures[0]
            said.append(f"{pair.second} beside {pair.first}: {pair.verdict(one)} ({signed(one.difference)})")
        return (
            f"{len(self.runs)} runs on the same {self.rows:,} rows of the {self.split} split, {self.task.words}",
            f"{words}, {'; '.join(said)}",
        )

    def _tables(self) -> Iterator[Table]:
        yield from map(self.table_of, self.pairs)

    def table_of(self, pair: ShapePair) -> Table:
        """Return the figures of a pair, their difference, and whether it is more than chance."""
        return Table(
            title=f"{pair.second} minus {pair.first} (95 % paired intervals)",
            header=("", pair.first, pair.second, "difference", "p", "the second is"),
            rows=tuple(
                (
                    one.words,
                    str(one.first),
                    str(one.second),
                    signed(one.difference),
                    f"{one.p_value:.2g}",
                    pair.verdict(one),
                )
                for one in pair.figures
            ),
            prose=("the second is",),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: `task`, `split`, `rows`, `runs`, `pairs`."""
        return {
            "task": self.task.name,
            "split": self.split,
            "rows": self.rows,
            "runs": [{"run": one.name, "seeds": len(one.answers)} for one in self.runs],
            "pairs": [one.to_dict() for one in self.pairs],
        }


def compare_any_runs(
    paths: Sequence[Path], *, split: str = "validation", seed: int = 0
) -> RunComparison | ShapeComparison:
    """Compare finished runs of any shape on one split.

    Args:
        paths: at least two: run folders, run folders with several seeds, or files of predictions.
        split: name of the predictions in a run folder.
        seed: of the bootstrap.

    Raises:
        SettingsError: fewer than two paths, or one without such predictions.
        DataError: the rows differ, or the shapes of the answers; says how.
    """
    if len(paths) < 2:
        raise SettingsError("give at least two runs to compare")
    given = [_read(path, split) for path in paths]
    task = task_of(given[0].answers[0])
    if all(task_of(answers) == SINGLE for one in given for answers in one.answers):
        return compare_runs(paths, split=split, seed=seed)
    rows = len(given[0].answers[0].labelled_rows)
    if not rows:
        raise DataError(f"{given[0].name}: no row of the {split} split has a label: there is nothing to compare by")
    aligned = tuple(_aligned_with(given[0], one) for one in given)
    pairs = [_pair_of(aligned[0], other, seed) for other in aligned[1:]]
    return ShapeComparison(split=split, task=task, rows=rows, runs=aligned, pairs=_corrected_pairs(pairs))


def _read(path: Path, split: str) -> ShapeAnswers:
    files, fingerprint = files_of_answers(path, split)
    return ShapeAnswers(name=str(path), answers=tuple(map(read_any_predictions, files)), fingerprint=fingerprint)


def _aligned_with(first: ShapeAnswers, other: ShapeAnswers) -> ShapeAnswers:
    sides = Sides(first=first.name, second=other.name, first_data=first.fingerprint, second_data=other.fingerprint)
    return replace(other, answers=tuple(on_the_rows_of(first.answers[0], one, sides) for one in other.answers))


def _pair_of(first: ShapeAnswers, second: ShapeAnswers, seed: int) -> ShapePair:
    notes = []
    if None not in (first.fingerprint, second.fingerprint) and first.fingerprint != second.fingerprint:
        notes.append("they were trained on different data; the rows that they are judged by are the same")
    seeds = {len(first.answers), len(second.answers)}
    if 1 in seeds and len(seeds) > 1:
        notes.append("one of them has a single seed, whose luck the interval does not hold")
    figures = compare_figures(first.answers, second.answers, seed=seed)
    return ShapePair(first=first.name, second=second.name, figures=figures, notes=tuple(notes))


def _corrected_pairs(pairs: Sequence[ShapePair]) -> tuple[ShapePair, ...]:
    """Correct the p-values of each figure for the number of pairs (Holm)."""
    by_figure = [holm([pair.figures[place].p_value for pair in pairs]) for place in range(len(pairs[0].figures))]
    return tuple(
        replace(
            pair,
            figures=tuple(replace(one, p_value=by_figure[place][number]) for place, one in enumerate(pair.figures)),
        )
        for number, pair in enumerate(pairs)
    )
