"""`limbeck labels`: find labels that are probably wrong, and put a reviewer's decisions into the data."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from limbeck.cli import labels_screen, options, screen
from limbeck.cli.help_screen import HelpfulCommand, HelpfulGroup
from limbeck.cli.parts_options import (
    IN_PARTS,
    compute_parts,
    means_parts,
    parts_facts,
    parts_request,
    require_none_given,
    say_parts,
)
from limbeck.cli.settings_options import Flags, option_names, takes
from limbeck.scale.work import LabelAnswers
from limbeck.settings import ReadSettings

if TYPE_CHECKING:
    from typer._click.core import Context

    from limbeck.review.tag_issues import TagIssues
    from limbeck.scale.parts_request import PartsRequest

FIND = "find"
OF_PARTS = (options.READING, options.ENGINE_OPTIONS, IN_PARTS)
"""Options that have a meaning for a folder of parts alone."""


class _RunOrCommand(HelpfulGroup):
    """Takes `limbeck labels RUN …` for `limbeck labels find RUN …`."""

    def parse_args(self, ctx: "Context", args: list[str]) -> list[str]:
        """Put "find" before words that begin with no command's name, or with a run folder of such a name alone."""
        if args and args[0] not in ctx.help_option_names and not self._is_command(args):
            args = [FIND, *args]
        return super().parse_args(ctx, args)

    def _is_command(self, args: list[str]) -> bool:
        """Tell a command's name from a run folder called so: a command has a sheet or a run after it."""
        follows = args[1:] and (not args[1].startswith("-") or args[1] in ("-h", "--help"))
        return args[0] in self.commands and bool(follows or not Path(args[0]).is_dir())


labels = typer.Typer(
    name="labels",
    cls=_RunOrCommand,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Find labels that are probably wrong: limbeck labels RUN --out review.csv. "
    "Then put decisions into the data: limbeck labels apply review.csv DATA --out FOLDER.",
)


@labels.command(FIND, cls=HelpfulCommand)
@options.speaking
@takes(*OF_PARTS)
def find(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder of `limbeck train`.", show_default=False)],
    flags: Flags,
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="[DATA]",
            help="With --cross-fit: the run's data, if you have moved them. With a folder of parts: other labelled "
            "rows, in a file, a folder of files or a pattern such as 'texts/*.parquet', also of s3://, gs:// or "
            "hdfs://.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        options.out(
            "Sheet to write, worst rows first: a CSV for a spreadsheet. With DATA a name without a suffix is a folder "
            "of parts, by which RUN judges the labels of more rows than memory holds, if it did not learn from them; "
            "the sheet is written beside the folder."
        ),
    ] = None,
    rows: Annotated[
        int | None,
        typer.Option(
            help="Number of rows of the sheet. [default: those whose label looks wrong, 100 at least; none where none "
            "looks wrong]"
        ),
    ] = None,
    cross_fit: Annotated[
        int | None,
        typer.Option(
            help="Train this many further models with the run's settings, each on all folds but one, and judge each "
            "row by the model that did not see it. A probe needs none. Interrupted, it goes on when it is called again."
        ),
    ] = None,
    incomplete: Annotated[
        bool,
        typer.Option(
            "--incomplete",
            help="Of any number of labels per row: the labels that a row has are mostly right, and one that it has not "
            "says little, as where people gave the labels that they thought of.",
        ),
    ] = False,
    cache_dir: options.CacheFolder = None,
    overwrite: options.Overwrite = False,
    as_json: options.AsJson = False,
) -> None:
    """Rank the training rows of RUN by how likely their label is wrong, and write a sheet to review.

    Where rows have any number of labels, those that are probably missing and those that are probably too many are
    ranked apart.
    """
    from limbeck.errors import SettingsError
    from limbeck.features.cache import FeatureCache
    from limbeck.methods.past_run import open_past_run
    from limbeck.review.label_search import search_labels, search_tags, search_with_cross_fit
    from limbeck.review.sheet import write_sheet
    from limbeck.storage import check_place

    if rows is not None and rows < 1:
        raise SettingsError(f"--rows {rows}: give a number of 1 or more")
    if data is not None and means_parts(data, out, flags, overwrite=overwrite, option="--out"):
        given = {"--cross-fit": cross_fit, "--cache-dir": cache_dir}
        require_none_given(given, "RUN itself judges rows that it did not learn from")
        request = parts_request(run, data, cast("Path", out), flags, reading=options.READING, work=LabelAnswers())
        _find_in_parts(request, rows, incomplete=incomplete, as_json=as_json)
        return
    if names := [option_names(name)[0] for source in OF_PARTS for name in flags.of(source)]:
        raise SettingsError(f"{names[0]} is about a folder of parts: give DATA, and --out a name without a suffix")
    if out is not None:
        check_place(out, (".csv",), source=data, overwrite=overwrite)
    following = screen.following()
    past, cache = open_past_run(run), FeatureCache(cache_dir)
    tags = search_tags(past, incomplete=incomplete)
    if tags is not None:
        _show_tags(tags, run, out=out, count=tags.rows_to_review(rows), as_json=as_json)
        return
    if cross_fit is None:
        found = search_labels(past, cache=cache, progress=following)
    else:
        found = search_with_cross_fit(past, cross_fit, data, cache=cache, progress=following)
    count = found.issues.rows_to_review(rows)
    if out is not None and count:
        write_sheet(out, found.issues, count=count)
    if as_json:
        facts = {
            "run": str(run),
            "sheet": str(out) if out is not None and count else None,
            "second_fit": found.second_fit,
        }
        screen.show_json({**facts, "note": found.note, **found.issues.to_dict(count)})
        return
    labels_screen.show_doubts(found.issues, found.note)
    if not count:
        labels_screen.show_no_sheet()
        return
    if out is None:
        screen.show_next("labels", run, "--out", screen.free_place("review.csv"))
        return
    labels_screen.show_sheet_place(out, count=count)
    place = screen.free_place("corrected")
    screen.show_next(
        "labels", "apply", out, data or past.data.source, "--out", place, how=options.flags_that_read(past.data.read)
    )


def _find_in_parts(request: "PartsRequest", rows: int | None, *, incomplete: bool, as_json: bool) -> None:
    """Answer labelled rows into a folder of parts, or go on with it; judge their labels when it is whole."""
    from limbeck.review.sheet import keep_sheet, sheet_rows
    from limbeck.scale.reviewed_parts import review_parts

    if incomplete:
        from limbeck.runs.run_thresholds import task_of_model

        task_of_model(Path(request.run)).require(("multi",), doing="--incomplete")
    sheet = request.out.with_name(f"{request.out.name}.csv")
    parts = compute_parts(request)
    parts.require_whole(request.out)
    found = review_parts(request.out, rows=rows, incomplete=incomplete)
    count = found.rows_to_review(rows)
    lines = sheet_rows(found, count)
    is_new = bool(count) and keep_sheet(sheet, lines)
    if as_json:
        told = {"run": str(request.run), "data": request.source, **parts_facts(parts, request.out)}
        screen.show_json({**told, "sheet": str(sheet) if count else None, "is_new": is_new, **found.to_dict(count)})
        return
    labels_screen.show_parts_reviewed(found)
    screen.show_line(say_parts(parts, request.out))
    if not count:
        labels_screen.show_no_sheet()
    elif is_new:
        labels_screen.show_new_sheet(found, sheet, count=len(lines))
    else:
        labels_screen.show_sheet_kept(sheet)


def _show_tags(found: "TagIssues", run: Path, *, out: Path | None, count: int, as_json: bool) -> None:
    """Show labels that are missing or too many, and write the sheet."""
    from limbeck.cli import figures_screen
    from limbeck.review.sheet import write_sheet

    sheet = out if count else None
    if sheet is not None:
        write_sheet(sheet, found, count=count)
    if as_json:
        screen.show_json({"run": str(run), "sheet": None if sheet is None else str(sheet), **found.to_dict(count)})
        return
    figures_screen.show_tag_issues(found, count=labels_screen.SHOWN_ISSUES)
    if not count:
        labels_screen.show_no_sheet()
    elif sheet is None:
        screen.show_next("labels", run, "--out", screen.free_place("review.csv"))
    else:
        labels_screen.show_tag_sheet_place(sheet, count=count)


@labels.command(cls=HelpfulCommand)
@options.speaking
@takes(options.READING)
def apply(
    sheet: Annotated[Path, typer.Argument(metavar="SHEET", help="The reviewed sheet (CSV).", show_default=False)],
    data: options.Data,
    out: Annotated[Path, options.out("Folder to make: data/, changes.csv, labels.json.")],
    flags: Flags,
    rescore: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="Train with RUN's settings on the corrected data, into FOLDER/run, and compare on RUN's "
            "validation rows.",
            show_default=False,
        ),
    ] = None,
    cache_dir: options.CacheFolder = None,
    as_json: options.AsJson = False,
) -> None:
    """Give the rows of DATA the labels that SHEET's column new_label decides; an empty cell keeps the label."""
    from limbeck.features.cache import FeatureCache
    from limbeck.methods.past_run import open_past_run
    from limbeck.reading.read import read_with
    from limbeck.review.corrections import CORRECTED_NAME, apply_corrections
    from limbeck.review.rescoring import rescore as score_again
    from limbeck.review.sheet import read_decided

    following = screen.following()
    past, decided = None if rescore is None else open_past_run(rescore), read_decided(sheet)
    reading = flags.build(ReadSettings, {"labels": "optional"})
    dataset = read_with(data, reading, following)
    screen.tell_notes(dataset.notes, following)
    corrections = apply_corrections(dataset, decided, out)
    rescored = None
    if past is not None:
        rescored = score_again(past, corrections.dataset, out, cache=FeatureCache(cache_dir), progress=following)
    if as_json:
        screen.show_json({**corrections.to_dict(), "rescored": rescored and rescored.to_dict()})
        return
    labels_screen.show_corrections(corrections, out)
    if rescored is not None:
        labels_screen.show_rescored(rescored)
    else:
        screen.show_next("train", out / CORRECTED_NAME, "--out", screen.free_place("RUN"))
