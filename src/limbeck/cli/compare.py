"""`limbeck compare`: finished runs side by side, on the same rows."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from limbeck.cli import figures_screen, options, screen

if TYPE_CHECKING:
    from limbeck.evaluation.comparison import Comparison
    from limbeck.evaluation.measured import Measured
    from limbeck.experiments.run_comparison import RunComparison, RunPair
    from limbeck.experiments.shape_comparison import ShapeComparison

SHOWN_ROWS = 5
"""Rows of each kind that are shown."""


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            help="Run folders; each is compared with the first. A run with several seeds counts with all of "
            "them. Files of `limbeck evaluate --out` can be compared too.",
        ),
    ],
    split: Annotated[str, typer.Option(help="Predictions to compare: validation or out_of_fold.")] = "validation",
    rows: Annotated[int, typer.Option(min=0, help="Number of changed rows of each kind to show.")] = SHOWN_ROWS,
    seed: Annotated[int, typer.Option(help="Seed of every random choice.")] = 0,
    as_json: options.AsJson = False,
) -> None:
    """Say whether one run is better than another on the same rows, or by chance; and which rows changed.

    Runs of any number of labels, of ordered classes or of numbers are compared by every figure of their shape.
    A mended row was wrong in the first run and is right in the other; a broken one the other way round.
    """
    from limbeck.experiments.shape_comparison import ShapeComparison, compare_any_runs

    found = compare_any_runs(runs, split=split, seed=seed)
    if as_json:
        screen.show_json(found.to_dict())
        return
    if isinstance(found, ShapeComparison):
        _show_shapes(found)
        return
    _show_scores(found)
    for place, pair in enumerate(found.pairs):
        _show_pair(found, pair)
        if pair.details is not None:
            _show_rows(found, place + 1, pair.details, shown=rows)


def _show_shapes(found: "ShapeComparison") -> None:
    """Show each later run beside the first, by every figure of their shape."""
    seeds = any(len(one.answers) > 1 for one in found.runs)
    screen.show_line(f"{found.rows:,} rows of the {found.split} split, {found.task.words}")
    for pair in found.pairs:
        screen.show_line()
        figures_screen.show_given_table(found.table_of(pair))
        for note in pair.notes:
            screen.show_line(f"  {note}")
    corrected = f"; p-values are corrected for {len(found.pairs)} comparisons (Holm)" if len(found.pairs) > 1 else ""
    drawn = "rows and seeds" if seeds else "rows"
    screen.show_line(f"intervals and p-values: {drawn} drawn anew, the same for both{corrected}")
    if seeds:
        screen.show_line("± behind a figure is the standard deviation between seeds")


def _show_scores(found: "RunComparison") -> None:
    screen.show_table(
        f"Runs on the {found.split} split: {len(found.rows.labelled_rows):,} rows",
        ["run", "seeds", "accuracy", "F1 macro", "log loss", "calibration error"],
        [
            [
                one.name,
                str(len(one.accuracy.values)),
                *(str(score) for score in (one.accuracy, one.f1_macro, one.log_loss, one.ece)),
            ]
            for one in found.scores
        ],
    )
    if any(one.accuracy.deviation is not None for one in found.scores):
        screen.show_line("± is the standard deviation between seeds")


def _show_pair(found: "RunComparison", pair: "RunPair") -> None:
    screen.show_line()
    verdicts = {"accuracy": pair.verdict, "F1 macro": pair.f1_macro_verdict, "log loss": pair.log_loss_verdict}
    told = "; ".join(f"{name}: {verdict}" for name, verdict in verdicts.items() if verdict is not None)
    screen.show_line(f"{pair.second} beside {pair.first}: {told}")
    for note in pair.notes:
        screen.show_line(f"  {note}")
    corrected = f", corrected for {len(found.pairs)} comparisons (Holm)" if len(found.pairs) > 1 else ""
    screen.show_line(f"  accuracy {_signed(pair.accuracy)}")
    if pair.details is None:
        screen.show_line(f"  over rows and seeds, by the bootstrap: p = {pair.p_value:.2g}{corrected}")
    else:
        test = pair.details.mcnemar
        screen.show_line(
            f"  {test.mended:,} rows mended, {test.broken:,} broken; McNemar's exact test: p = {pair.p_value:.2g}"
            f"{corrected}"
        )
    if corrected and pair.verdict == "no difference shown" and not pair.accuracy.low <= 0 <= pair.accuracy.high:
        screen.show_line("  the interval is of this pair alone: among so many comparisons, chance goes that far")
    if pair.details is None:
        return
    screen.show_table(
        f"Differences: {pair.second} minus {pair.first} (95 % paired intervals)",
        ["", "difference", "95 % interval", "mended", "broken"],
        [
            ["F1 macro", *_cells(pair.details.f1_macro), "", ""],
            ["log loss, nats", *_cells(pair.details.log_loss), "", ""],
            *(
                [f"recall of {one.name}", *_cells(one.recall), f"{one.mended:,}", f"{one.broken:,}"]
                for one in pair.details.per_class
            ),
        ],
    )


def _show_rows(found: "RunComparison", place: int, details: "Comparison", *, shown: int) -> None:
    """Show the first rows that changed, in the order of the data."""
    first, second = found.runs[0].answers[0], found.runs[place].answers[0]
    known = first.labelled_rows
    for what, positions in (("Mended", details.mended), ("Broken", details.broken)):
        if shown and len(positions):
            rows = known[positions[:shown]]
            screen.show_table(
                f"{what} rows: {len(rows):,} of {len(positions):,}",
                ["text" if first.texts is not None else "row", "label", found.runs[0].name, found.runs[place].name],
                [
                    [
                        screen.shortened(first.texts[row]) if first.texts is not None else first.row_ids[row],
                        first.label_names[first.true_labels[int(row)].as_py()],
                        first.predicted_names[row],
                        second.predicted_names[row],
                    ]
                    for row in rows
                ],
            )


def _signed(found: "Measured") -> str:
    return f"{found.value:+.4f}, 95 % interval {found.low:+.4f} – {found.high:+.4f}"


def _cells(found: "Measured") -> list[str]:
    return [f"{found.value:+.4f}", f"{found.low:+.4f} – {found.high:+.4f}"]
