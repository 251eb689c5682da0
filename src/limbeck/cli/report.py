"""`limbeck report`: everything that is known about a run as one page."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from limbeck.cli import options, screen
from limbeck.cli.settings_options import Flags, takes
from limbeck.settings import FeatureSettings

if TYPE_CHECKING:
    from limbeck.auditing.audit import Audit
    from limbeck.data.dataset import Dataset
    from limbeck.evaluation.slices import Slices
    from limbeck.progress import Progress
    from limbeck.reporting.run_facts import RunFacts
    from limbeck.runs.run_folder import RunFolder


@takes(options.DEVICE)
def report(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="Run folder of `limbeck train` or `distil`.", show_default=False)
    ],
    flags: Flags,
    data: Annotated[
        str | None,
        typer.Argument(metavar="[DATA]", help="The run's data, if you have moved them.", show_default=False),
    ] = None,
    lang: Annotated[Literal["en", "ko"], typer.Option(help="Language of the page and of its charts.")] = "en",
    out: Annotated[Path | None, options.out("File to write the page to. [default: RUN/report.html]")] = None,
    learning_curve: Annotated[
        bool,
        typer.Option(
            "--learning-curve",
            help="Also fit the probe on 10, 20, 40 and 70 % of the training rows, in seconds to minutes. The curve "
            "is kept in RUN/learning_curve.json, and later reports show it.",
        ),
    ] = False,
    umap: Annotated[
        bool, typer.Option("--umap", help="Map the rows by UMAP too; this needs umap-learn, and takes up to minutes.")
    ] = False,
    overwrite: options.Overwrite = False,
    cache_dir: options.CacheFolder = None,
    as_json: options.AsJson = False,
) -> None:
    """Write the report of RUN, one HTML file that loads nothing from elsewhere, and the model card."""
    from limbeck import storage
    from limbeck.experiments.row_features import encode_rows
    from limbeck.experiments.share_points import fit_shares
    from limbeck.features.cache import FeatureCache
    from limbeck.methods.past_run import open_past_run
    from limbeck.methods.probe import OUT_OF_FOLD
    from limbeck.reporting.page import need_jinja
    from limbeck.reporting.plane import sample_rows
    from limbeck.reporting.report import ReportEvidence, make_report
    from limbeck.reporting.report_charts import write_charts
    from limbeck.reporting.report_words import words_in
    from limbeck.reporting.run_facts import read_run
    from limbeck.review.label_search import search_labels
    from limbeck.runs.model_card import rewrite_card
    from limbeck.runs.run_folder import RunFolder

    if out is not None:
        storage.check_place(out, (".html", ".htm"), source=data, overwrite=overwrite)
    words, following, cache = words_in(lang), screen.following(), FeatureCache(cache_dir)
    need_jinja()
    folder, found = RunFolder(run), read_run(run)
    if learning_curve:
        fit_shares(open_past_run(run), cache=cache, progress=following)
        found = read_run(run)
    search = None
    if folder.predictions(OUT_OF_FOLD).is_file():
        search = search_labels(open_past_run(run), cache=cache, progress=following)
    rows_N = found.answers.labelled_rows[sample_rows(len(found.answers.labelled_rows))]
    features_NF = None
    if found.answers.texts is not None:
        features_NF = encode_rows(
            folder,
            found.answers.texts,
            rows_N,
            device=flags.build(FeatureSettings).device,
            cache=cache,
            progress=following,
        )
    dataset = _read_data(run, data, following)
    evidence = ReportEvidence(
        slices=_slice(found, dataset, following),
        issues=None if search is None else search.issues,
        second_fit=search is not None and search.second_fit,
        audit=None if dataset is None else _audit(dataset, found, folder, following),
        features_NF=features_NF,
        rows_N=rows_N,
    )
    made = make_report(found, evidence, words, umap=umap, made_on=date.today(), progress=following)
    place = out or folder.report
    storage.write_text(place, made.html)
    # A page that stands elsewhere, or speaks another language, leaves the run's own pictures as they are.
    pictures = folder.pictures if lang == "en" else folder.pictures / lang
    write_charts({} if out is not None else made.charts, pictures)
    card_changed = rewrite_card(folder.bundle, found.validation, made.limits)
    if as_json:
        facts = {"run": str(run), "report": str(place), "bytes": len(made.html.encode())}
        limits = [{"kind": one.kind, "in_words": str(one)} for one in made.limits]
        screen.show_json({**facts, "charts": sorted(made.charts), "card_changed": card_changed, "limits": limits})
        return
    screen.show_line(f"report      {place} ({len(made.html.encode()) / 2**20:.1f} MiB)")
    screen.show_line(f"pictures    {'in the page' if out is not None else pictures}")
    screen.show_line(f"model card  {folder.bundle / 'README.md'}{'' if card_changed else ' (as it was)'}")
    if search is not None:
        screen.show_next("labels", run, "--out", screen.free_place("review.csv"))
    else:
        screen.show_next("predict", run, "your text")


def _read_data(run: Path, data: str | None, following: "Progress") -> "Dataset | None":
    """Read the run's data again; where they have moved and nobody says where to, return none."""
    from limbeck.errors import DataError, SettingsError, StorageError
    from limbeck.runs.past_data import open_past_data, read_data_of

    try:
        return read_data_of(open_past_data(run), data, following)
    except (SettingsError, StorageError, DataError) as error:
        if data is not None:
            raise
        following.say(f"the report leaves out what only the data can show: {error}")
        return None


def _slice(found: "RunFacts", dataset: "Dataset | None", following: "Progress") -> "Slices":
    from limbeck.auditing.row_slices import answer_groupings, own_groupings
    from limbeck.evaluation.slices import slice_rows

    answers = found.answers
    groupings = (
        answer_groupings(answers) if dataset is None else own_groupings(dataset, "validation", answers, following)
    )
    return slice_rows(answers.predicted == answers.known_labels, answers.losses, groupings)


def _audit(dataset: "Dataset", found: "RunFacts", folder: "RunFolder", following: "Progress") -> "Audit":
    from limbeck.auditing.audit import audit
    from limbeck.tokens import Tokenizer

    tokenizers = {str(found.record["encoder"]["name"]): Tokenizer.from_folder(folder.bundle)}
    return audit(dataset, tokenizers=tokenizers, progress=following)
