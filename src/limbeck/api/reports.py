"""The report of a run, from the folder to the page: evidence gathered, page written, model card renewed.

In: a finished run. Out: a file of HTML, pictures, the card. How the page looks is `reporting`'s.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from limbeck import storage
from limbeck.api.given import Run, run_path
from limbeck.auditing.audit import Audit, audit
from limbeck.auditing.row_slices import answer_groupings, own_groupings
from limbeck.data.dataset import Dataset
from limbeck.display.tables import Table
from limbeck.display.views import View
from limbeck.errors import DataError, SettingsError, StorageError
from limbeck.evaluation.any_evaluation import AnyEvaluation
from limbeck.evaluation.limits import Limit
from limbeck.evaluation.slices import Slices, slice_rows
from limbeck.experiments.row_features import encode_rows
from limbeck.experiments.share_points import fit_shares
from limbeck.features.cache import FeatureCache
from limbeck.methods.past_run import open_past_run
from limbeck.methods.probe_kinds import OUT_OF_FOLD
from limbeck.progress import Progress, ProgressLike, as_progress
from limbeck.reading.read import said_in_python
from limbeck.reporting.page import need_jinja
from limbeck.reporting.plane import sample_rows
from limbeck.reporting.report import Report, ReportEvidence, make_report
from limbeck.reporting.report_charts import write_charts
from limbeck.reporting.report_words import ReportWords, words_in
from limbeck.reporting.run_facts import RunFacts, ShapeFacts, read_run, read_shape_run
from limbeck.reporting.shape_report import ShapeEvidence, make_shape_report
from limbeck.review.label_search import search_labels, search_tags
from limbeck.runs.model_card import rewrite_card
from limbeck.runs.past_data import open_past_data, read_data_of
from limbeck.runs.run_folder import RunFolder
from limbeck.setting_tables import build
from limbeck.settings import Device
from limbeck.task import MULTI
from limbeck.tokens import Tokenizer


@dataclass(frozen=True, kw_only=True)
class ReportSettings:
    """How a report is made.

    Attributes:
        language: of the page and of its charts: "en" or "ko".
        learning_curve: fit the probe on parts of the training rows too; it is kept in the run.
        umap: map the rows by UMAP too; needs umap-learn.
        png: write the run's charts as PNG files, too, not as SVG files alone.
        device: where rows are encoded for the maps.
    """

    language: str = "en"
    learning_curve: bool = False
    umap: bool = False
    png: bool = False
    device: Device = "auto"


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class WrittenReport(View):
    """A report on disk.

    Attributes:
        path: of the page.
        size_bytes: of the page.
        pictures: folder of the charts; None where they are in the page only.
        charts: their names.
        limits: what the page says must be known before its figures are trusted.
        card_changed: whether the model card said something else before.
        has_issues: whether labels that look wrong were looked for.
    """

    path: Path
    size_bytes: int
    pictures: Path | None
    charts: tuple[str, ...]
    limits: tuple[Limit, ...]
    card_changed: bool
    has_issues: bool

    def _lines(self) -> tuple[str, str]:
        limits = len(self.limits)
        return (
            f"Report {self.path} ({self.size_bytes / 2**20:.1f} MiB)",
            f"{len(self.charts)} charts; {limits} {'limit' if limits == 1 else 'limits'} to know before you trust it",
        )

    def _tables(self) -> tuple[Table, ...]:
        if not self.limits:
            return ()
        return (
            Table(
                title="Limits", header=("what to know",), rows=tuple((str(one),) for one in self.limits), most_chars=400
            ),
        )


@said_in_python()
def report(
    run: Run,
    data: str | Path | None = None,
    *,
    out: str | Path | None = None,
    overwrite: bool = False,
    progress: ProgressLike = None,
    **options: Any,
) -> WrittenReport:
    """Write the report of a run: one HTML file that loads nothing; and the model card from the same facts.

    Args:
        run: run folder, or what `train` returned.
        data: the run's data, where they have moved.
        out: the page; RUN/report.html when not given.
        overwrite: replace a page in `out`.
        progress: True shows what is being done.
        **options: fields of `ReportSettings`: language ("en" or "ko"), learning_curve, umap, png, device.

    Raises:
        SettingsError: it is no finished run, or an option is unknown.
        MissingExtraError: jinja2 or matplotlib is not installed.

    Example:
        >>> report("RUN").path.name
        'report.html'
    """
    settings = build(ReportSettings, options, where="report")
    place = None if out is None else Path(out)
    if place is not None:
        storage.check_place(place, (".html", ".htm"), source=None if data is None else str(data), overwrite=overwrite)
    return write_report(run_path(run), settings, data=data, out=place, progress=as_progress(progress))


def write_report(
    run: Path,
    settings: ReportSettings,
    *,
    data: str | Path | None,
    out: Path | None,
    cache: FeatureCache | None = None,
    progress: Progress,
) -> WrittenReport:
    """Write the report of a run to a place that is free; see `report`."""
    words, cache = words_in(settings.language), cache or FeatureCache()
    if settings.png and out is not None:
        raise SettingsError(
            f"a page in a place of its own, {out}, leaves the run's pictures as they are: leave --out or --png out"
        )
    need_jinja()
    folder = RunFolder(run)
    shape = read_shape_run(run)
    if shape is not None:
        for asked, option in ((settings.learning_curve, "--learning-curve"), (settings.umap, "--umap")):
            if asked:
                shape.task.require(("single",), doing=option, todo="limbeck report without it shows what there is")
        made, has_issues = _made_of_shape(shape, folder, words, data=data, progress=progress)
        return _written(made, folder, shape.validation, settings, out=out, has_issues=has_issues)
    found = read_run(run)
    if settings.learning_curve:
        fit_shares(open_past_run(run), cache=cache, progress=progress)
        found = read_run(run)
    search = None
    if folder.predictions(OUT_OF_FOLD).is_file():
        search = search_labels(open_past_run(run), cache=cache, progress=progress)
    dataset = _read_data(run, None if data is None else str(data), progress)
    rows_N = found.answers.labelled_rows[sample_rows(len(found.answers.labelled_rows))]
    features_NF = None
    if found.answers.texts is not None:
        features_NF = encode_rows(
            folder, found.answers.texts, rows_N, device=settings.device, cache=cache, progress=progress
        )
    evidence = ReportEvidence(
        slices=_slice(found, dataset, progress),
        issues=None if search is None else search.issues,
        second_fit=search is not None and search.second_fit,
        audit=None if dataset is None else _audit(dataset, found, folder, progress),
        features_NF=features_NF,
        rows_N=rows_N,
    )
    made = make_report(found, evidence, words, umap=settings.umap, made_on=date.today(), progress=progress)
    return _written(made, folder, found.validation, settings, out=out, has_issues=search is not None)


def _made_of_shape(
    found: ShapeFacts, folder: RunFolder, words: ReportWords, *, data: str | Path | None, progress: Progress
) -> tuple[Report, bool]:
    """Make the page of a run whose answers are not one label per row; say whether labels were looked at."""
    tags = None
    if found.task == MULTI and folder.predictions(OUT_OF_FOLD).is_file():
        tags = search_tags(open_past_run(folder.path))
    dataset = _read_data(folder.path, None if data is None else str(data), progress)
    evidence = ShapeEvidence(tags=tags, audit=None if dataset is None else _audit(dataset, found, folder, progress))
    made = make_shape_report(found, evidence, words, made_on=date.today(), progress=progress)
    return made, tags is not None


def _written(
    made: Report,
    folder: RunFolder,
    validation: AnyEvaluation,
    settings: ReportSettings,
    *,
    out: Path | None,
    has_issues: bool,
) -> WrittenReport:
    """Write a page, its pictures beside the run, and the limits it names into the model card."""
    place = out or folder.report
    storage.write_text(place, made.html)
    # A page that stands elsewhere, or speaks another language, leaves the run's own pictures as they are.
    pictures = folder.pictures if settings.language == "en" else folder.pictures / settings.language
    write_charts({} if out is not None else made.charts, pictures, png=settings.png)
    return WrittenReport(
        path=place,
        size_bytes=len(made.html.encode()),
        pictures=None if out is not None else pictures,
        charts=tuple(sorted(made.charts)),
        limits=made.limits,
        card_changed=rewrite_card(folder.bundle, validation, made.limits),
        has_issues=has_issues,
    )


def _read_data(run: Path, data: str | None, progress: Progress) -> Dataset | None:
    """Read the run's data again; where they have moved and nobody says where to, the report does without them."""
    try:
        return read_data_of(open_past_data(run), data, progress)
    except (SettingsError, StorageError, DataError) as error:
        if data is not None:
            raise
        progress.say(f"the report leaves out what only the data can show: {error}")
        return None


def _slice(found: RunFacts, dataset: Dataset | None, progress: Progress) -> Slices:
    answers = found.answers
    groupings = (
        answer_groupings(answers) if dataset is None else own_groupings(dataset, "validation", answers, progress)
    )
    return slice_rows(answers.predicted == answers.known_labels, answers.losses, groupings)


def _audit(dataset: Dataset, found: RunFacts | ShapeFacts, folder: RunFolder, progress: Progress) -> Audit:
    tokenizers = {str(found.record["encoder"]["name"]): Tokenizer.from_folder(folder.bundle)}
    return audit(dataset, tokenizers=tokenizers, progress=progress)
