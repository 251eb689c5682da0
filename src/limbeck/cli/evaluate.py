"""`limbeck evaluate`: score a saved model on labelled rows."""

from pathlib import Path
from typing import Annotated

import typer

from limbeck.cli import figures_screen, options, screen
from limbeck.cli.settings_options import Flags, takes
from limbeck.settings import FeatureSettings, ReadSettings


@takes(options.READING, options.ENGINE_OPTIONS)
def evaluate(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Run folder of `limbeck train`, a bundle, or hub:OWNER/NAME.")
    ],
    data: options.Data,
    flags: Flags,
    split: Annotated[
        str | None,
        typer.Option(
            help="Split to score: train, validation or test. [default: test, or the only split that there is]"
        ),
    ] = None,
    out: Annotated[
        Path | None, options.out("File to write the predictions to as well: .parquet, .jsonl or .csv.")
    ] = None,
    hard: Annotated[
        int, typer.Option(min=0, help="Number of rows to show of the highest and of the lowest loss; 0 for none.")
    ] = 5,
    slices: Annotated[
        bool,
        typer.Option(
            "--slices", help="Also score parts of the rows: by label, tokens, truncation, repeats, script, negation."
        ),
    ] = False,
    slice_by: Annotated[
        list[str] | None, typer.Option(help="Also score parts of the rows by this column of DATA; may be repeated.")
    ] = None,
    overwrite: options.Overwrite = False,
    as_json: options.AsJson = False,
) -> None:
    """Score RUN on one split of DATA: accuracy, F1, log loss, each with its 95 % interval; per class; confusions."""
    from limbeck.auditing.row_slices import column_groupings, own_groupings, slice_answers
    from limbeck.evaluation.hard_cases import find_hard_cases, name_confusions
    from limbeck.evaluation.prediction_files import PREDICTION_SUFFIXES, write_predictions
    from limbeck.inference.predictor import load
    from limbeck.inference.scoring import rows_to_score, score
    from limbeck.reading.read import read_with
    from limbeck.storage import check_place

    if out is not None:
        check_place(out, PREDICTION_SUFFIXES, source=data, overwrite=overwrite)
    following = screen.following()
    computing = flags.build(FeatureSettings)
    predictor = load(run, device=computing.device, engine=computing.engine, progress=following)
    reading = flags.build(ReadSettings, {"text_column": predictor.text_column})
    dataset = read_with(data, reading, following)
    screen.tell_notes(dataset.notes, following)
    rows, split = rows_to_score(dataset, split, following)
    by_column = column_groupings(dataset, split, slice_by or [])
    scored = score(predictor, rows, progress=following)
    if out is not None:
        write_predictions(out, scored.predictions)
    found = scored.evaluation.to_dict()
    sliced = None
    if slices or slice_by:
        own = own_groupings(dataset, split, scored.predictions, following) if slices else {}
        sliced = slice_answers(dataset, split, scored.predictions, {**own, **by_column})
    cases = find_hard_cases(scored.predictions)
    confusions = name_confusions(scored.evaluation, cases)
    if as_json:
        headline = {name: found[name] for name in ("accuracy", "f1_weighted", "f1_macro", "log_loss", "ece")}
        facts = {
            "run": str(run),
            "data": data,
            "split": split,
            "texts_cut": int(scored.predictions.truncated.sum()),
            "learned_rows": scored.learned_rows,
        }
        more = {} if scored.answered is None else {"answered": scored.answered.to_dict()}
        risk = {"risk_coverage": scored.risk_coverage.to_dict()}
        if sliced is not None:
            more["slices"] = sliced.to_dict()
        told = {"confusions": [one.to_dict() for one in confusions], "hard": cases.to_dict(hard) if hard else None}
        screen.show_json({**facts, **headline, **more, split: found, **risk, **told})
        return
    screen.show_evaluation(scored.evaluation, title=f"{run} on the {split} split of {data}")
    figures_screen.show_hard_cases(cases, confusions, count=hard)
    if scored.answered is not None:
        screen.show_answered(scored.answered)
    if sliced is not None:
        figures_screen.show_slices(sliced)
    screen.show_line(screen.say_read(scored.predictions))
    if out is not None:
        screen.show_line(f"predictions: {out}")
    if (run / "metrics.json").is_file():
        screen.show_next("report", run)
