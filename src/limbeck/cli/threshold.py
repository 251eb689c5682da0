"""`limbeck threshold`: choose from which probability on a finished model answers, and write it into the model."""

from pathlib import Path
from typing import Annotated

import typer

from limbeck.cli import options, screen


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
            "--out). [default: RUN/predictions/validation.parquet]"
        ),
    ] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Remove the thresholds: every row is answered again.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Make RUN say "unsure" where its highest probability is too low to keep --precision, or to answer --coverage.

    The precision is promised, with --confidence, of rows like those that the threshold is chosen on.
    """
    from limbeck.errors import SettingsError
    from limbeck.evaluation.thresholds import Goal
    from limbeck.runs.run_thresholds import clear_thresholds, write_thresholds

    if clear:
        if precision is not None or coverage is not None or per_class or predictions is not None:
            raise SettingsError("--clear takes thresholds out: give no goal beside it")
        clear_thresholds(run)
        if as_json:
            screen.show_json({"run": str(run), "thresholds": None})
        else:
            screen.show_line(f"{run} answers every row again")
        return
    goal = Goal(precision=precision, coverage=coverage, confidence=confidence, per_class=per_class)
    chosen = write_thresholds(run, goal, predictions)
    if as_json:
        screen.show_json({"run": str(run), "thresholds": chosen.to_dict()})
        return
    screen.show_thresholds(chosen, run=run)
    screen.show_predict_next(run)
