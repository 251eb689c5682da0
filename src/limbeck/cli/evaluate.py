"""`limbeck evaluate`: score a saved model on labelled rows."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from limbeck.cli import evaluation_screen, figures_screen, options, screen
from limbeck.cli.parts_options import (
    IN_PARTS,
    compute_parts,
    means_parts,
    parts_facts,
    parts_request,
    require_none_given,
    say_parts,
)
from limbeck.cli.settings_options import Flags, takes
from limbeck.scale.work import ScoreCounts
from limbeck.settings import FeatureSettings, ReadSettings, TaskKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from limbeck.evaluation.slices import Slices
    from limbeck.inference.scoring import Scored
    from limbeck.scale.parts_request import PartsRequest

HEADLINES = {
    "single": ("accuracy", "f1_weighted", "f1_macro", "log_loss", "ece"),
    "multi": ("f1_micro", "f1_macro", "f1_samples", "subset_accuracy", "hamming_loss", "lrap", "auc_pr", "log_loss"),
    "ordinal": ("quadratic_kappa", "mae", "within_one", "accuracy", "log_loss"),
    "regression": ("pearson", "spearman", "r2", "mae", "rmse", "bias"),
}
"""Figures that --json shows first, for each shape of answer."""

ONE_LABEL: tuple[TaskKind, ...] = ("single",)


@takes(options.READING, options.ENGINE_OPTIONS, IN_PARTS)
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
    raters: Annotated[
        str | None,
        typer.Option(
            help="Column of DATA that holds a list of numbers per row, ratings by several people: how well these agree "
            "is shown beside the figures of a model of numbers."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        options.out(
            "File to write the predictions to as well: .parquet, .jsonl or .csv. A name without a suffix is a folder "
            "of parts, for more rows than memory holds: DATA is a file, a folder of files or a pattern such as "
            "'texts/*.parquet', also of s3://, gs:// or hdfs://; parts hold counts, by which all rows are scored."
        ),
    ] = None,
    hard: Annotated[
        int,
        typer.Option(
            min=0,
            help="Number of rows to show of the highest and of the lowest loss; where a row has not just one label, of "
            "those that the model is furthest from. 0 for none.",
        ),
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
    from limbeck.evaluation.prediction_files import PREDICTION_SUFFIXES, write_predictions
    from limbeck.inference.answers import classes_of
    from limbeck.inference.predictor import load
    from limbeck.inference.scoring import rows_to_score, score
    from limbeck.reading.read import read_with
    from limbeck.storage import check_place
    from limbeck.task import SINGLE

    if means_parts(data, out, flags, overwrite=overwrite, option="--out"):
        _score_in_parts(
            parts_request(run, data, cast("Path", out), flags, reading=options.READING, work=ScoreCounts(split=split)),
            {"--raters": raters, "--slices": slices, "--slice-by": slice_by or None},
            as_json=as_json,
        )
        return
    if out is not None:
        check_place(out, PREDICTION_SUFFIXES, source=data, overwrite=overwrite)
    following = screen.following()
    computing = flags.build(FeatureSettings)
    predictor = load(run, device=computing.device, engine=computing.engine, progress=following)
    task = predictor.bundle.task
    if slices or slice_by:
        task.require(ONE_LABEL, doing="--slices and --slice-by")
    parents = {"label_parents": True} if predictor.bundle.facts.label_parents else {}
    own_columns: dict[str, Any] = {"text_column": predictor.text_column, **parents}
    reading = flags.build(ReadSettings, own_columns | ({} if task == SINGLE else {"task": task.name}))
    dataset = read_with(data, reading, following)
    screen.tell_notes(dataset.notes, following)
    rows, split = rows_to_score(dataset, split, following)
    by_column = column_groupings(dataset, split, slice_by or [])
    scored = score(predictor, rows, raters_column=raters, progress=following)
    if out is not None:
        write_predictions(out, scored.predictions)
    sliced = None
    if slices or slice_by:
        answers = classes_of(scored.predictions)
        own = own_groupings(dataset, split, answers, following) if slices else {}
        sliced = slice_answers(dataset, split, answers, {**own, **by_column})
    if as_json:
        facts = {"run": str(run), "data": data, "split": split}
        screen.show_json(_told(scored, sliced, facts, kind=predictor.bundle.task.name, hard=hard))
        return
    evaluation_screen.show_evaluation(scored.evaluation, title=f"{run} on the {split} split of {data}")
    if scored.raters is not None:
        screen.show_line(f"raters: {scored.raters}")
    _show_hard(scored, hard)
    if scored.answered is not None:
        evaluation_screen.show_answered(scored.answered)
    if sliced is not None:
        figures_screen.show_slices(sliced)
    screen.show_line(screen.say_read(scored.predictions))
    if out is not None:
        screen.show_line(f"predictions: {out}")
    if (run / "metrics.json").is_file():
        screen.show_next("report", run)


def _score_in_parts(request: "PartsRequest", unused: "Mapping[str, Any]", *, as_json: bool) -> None:
    """Count rows into a folder of parts, or go on with it; score all of them when it is whole."""
    from limbeck.scale.scored_parts import score_parts

    require_none_given(unused, "its parts hold counts of all rows; answer the rows by limbeck predict for more")
    parts = compute_parts(request)
    parts.require_whole(request.out)
    scored = score_parts(request.out)
    found = scored.evaluation.to_dict()
    if as_json:
        told = {"run": str(request.run), "data": request.source, **parts_facts(parts, request.out)}
        told |= {"learned_rows": scored.learned_rows, "not_counted": list(scored.not_counted)}
        told |= {name: found[name] for name in HEADLINES[found.get("task", "single")]}
        if scored.answered is not None:
            told["answered"] = scored.answered.to_dict()
        screen.show_json({**told, "evaluation": found})
        return
    evaluation_screen.show_evaluation(scored.evaluation, title=f"{request.run} on {request.source}")
    if scored.answered is not None:
        evaluation_screen.show_answered(scored.answered)
    if scored.learned_rows:
        screen.show_line(
            f"{scored.learned_rows:,} of {scored.evaluation.rows:,} rows were learned from: the model looks better on "
            "them than it is"
        )
    if scored.not_counted:
        screen.show_line(f"not counted: {'; '.join(scored.not_counted)}")
    screen.show_line(say_parts(parts, request.out))


def _told(scored: "Scored", sliced: "Slices | None", facts: dict[str, str], *, kind: str, hard: int) -> dict[str, Any]:
    """Return everything that was found, for a program to read."""
    from limbeck.evaluation.evaluation import Evaluation
    from limbeck.evaluation.hard_cases import find_hard_cases, name_confusions
    from limbeck.evaluation.hard_rows import find_hard_rows
    from limbeck.evaluation.predictions import Predictions

    found, answers = scored.evaluation.to_dict(), scored.predictions
    told: dict[str, Any] = {
        **facts,
        "texts_cut": int(answers.truncated.sum()),
        "learned_rows": scored.learned_rows,
        **{name: found[name] for name in HEADLINES[kind]},
    }
    if scored.answered is not None:
        told["answered"] = scored.answered.to_dict()
    if sliced is not None:
        told["slices"] = sliced.to_dict()
    told[facts["split"]] = found
    if scored.risk_coverage is not None:
        told["risk_coverage"] = scored.risk_coverage.to_dict()
    if isinstance(answers, Predictions) and isinstance(scored.evaluation, Evaluation):
        cases = find_hard_cases(answers)
        told["confusions"] = [one.to_dict() for one in name_confusions(scored.evaluation, cases)]
        told["hard"] = cases.to_dict(hard) if hard else None
    else:
        told["hard"] = [asdict(one) for one in find_hard_rows(answers, hard)] if hard else None
    return told


def _show_hard(scored: "Scored", count: int) -> None:
    """Show rows of the highest and the lowest loss; of other shapes those that the model is furthest from."""
    from limbeck.evaluation.evaluation import Evaluation
    from limbeck.evaluation.hard_cases import find_hard_cases, name_confusions
    from limbeck.evaluation.hard_rows import find_hard_rows, hard_row_table
    from limbeck.evaluation.predictions import Predictions

    if isinstance(scored.predictions, Predictions) and isinstance(scored.evaluation, Evaluation):
        cases = find_hard_cases(scored.predictions)
        figures_screen.show_hard_cases(cases, name_confusions(scored.evaluation, cases), count=count)
    elif count:
        figures_screen.show_given_table(hard_row_table(find_hard_rows(scored.predictions, count)))
