"""`limbeck threshold`: choose from which probability on a finished model answers, and write it into the model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from limbeck.cli import evaluation_screen, figures_screen, options, screen

if TYPE_CHECKING:
    from limbeck.evaluation.label_thresholds import LabelThresholds


def threshold(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder of `limbeck train`, or a bundle.")],
    precision: Annotated[
        float | None, typer.Option(help="Minimum share of correct answers among those that are given, such as 0.95.")
    ] = None,
    coverage: Annotated[
        float | None, typer.Option(help="Minimum share of the rows that are answered, such as 0.8.")
    ] = None,
    per_class: Annotated[
        bool, typer.Option("--per-class", help="Choose a threshold per class, instead of one for all.")
    ] = False,
    confidence: Annotated[float, typer.Option(help="Confidence with which the precision is promised.")] = 0.95,
    predictions: Annotated[
        Path | None,
        typer.Option(
            help="File of predictions to choose on, of labelled rows that the model did not learn from (evaluate "
            "--out). Of any number of labels RUN/predictions/out_of_fold.parquet comes first, where it is there. "
            "[default: RUN/predictions/validation.parquet]"
        ),
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Remove the thresholds: every row is answered again.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Choose from which probability on a finished model answers, or gives a label, and write it into the model.

    One label per row: RUN says "unsure" where its highest probability is too low to keep --precision, or to answer
    --coverage. Any number of labels: each label gets a threshold of its own, for the largest F1, or for --precision.
    A precision is promised, with --confidence, of rows like those that the threshold is chosen on.
    """
    from limbeck.errors import SettingsError
    from limbeck.evaluation.label_thresholds import LabelThresholds
    from limbeck.evaluation.thresholds import Goal
    from limbeck.runs.run_thresholds import clear_thresholds, task_of_model, write_any_thresholds
    from limbeck.task import MULTI

    if clear:
        if precision is not None or coverage is not None or per_class or predictions is not None:
            raise SettingsError("--clear takes thresholds out: give no goal beside it")
        clear_thresholds(run)
        if as_json:
            screen.show_json({"run": str(run), "thresholds": None})
        else:
            shape = task_of_model(run)
            again = "gives every label from a probability of 0.5 on" if shape == MULTI else "answers every row again"
            screen.show_line(f"{run} {again}")
        return
    goal = Goal(precision=precision, coverage=coverage, confidence=confidence, per_class=per_class)
    chosen = write_any_thresholds(run, goal, predictions)
    if as_json:
        screen.show_json({"run": str(run), "thresholds": chosen.to_dict()})
        return
    if isinstance(chosen, LabelThresholds):
        _show_label_thresholds(chosen)
    else:
        evaluation_screen.show_thresholds(chosen, run=run)
    screen.show_predict_next(run)


def _show_label_thresholds(found: "LabelThresholds") -> None:
    """Show each label's threshold with what was seen on the rows that it was chosen on, and what is promised."""
    for table in found._tables():
        figures_screen.show_given_table(table)
    for line in found._lines():
        screen.show_line(line)
    if found.promised is None:
        screen.show_line("They were chosen on these rows, so the figures are too good for new rows.")
    else:
        screen.show_line(
            f"What is promised holds for all labels together, with confidence {found.goal.confidence:g}, of rows like "
            "those they were chosen on."
        )
