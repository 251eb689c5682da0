"""Label review: rows whose label is probably wrong, the sheet that a person fills in, the decisions put into the data.

In: a run or predictions; rows and a sheet. Out: label issues, a file, corrected rows. How it is done is `review`'s.
"""

from pathlib import Path

from limbeck.api.given import Rows, Run, dataset_of, run_path
from limbeck.api.preparing import UNLABELLED_TOO
from limbeck.errors import SettingsError
from limbeck.evaluation.multi_predictions import MultiPredictions
from limbeck.evaluation.predictions import Predictions
from limbeck.methods.past_run import open_past_run
from limbeck.progress import ProgressLike, as_progress
from limbeck.reading.read import said_in_python
from limbeck.review.corrections import Corrections
from limbeck.review.corrections import apply_corrections as correct_rows
from limbeck.review.issues import LabelIssues
from limbeck.review.issues import find_label_issues as find_in_answers
from limbeck.review.label_search import search_labels, search_tags, search_with_cross_fit
from limbeck.review.sheet import write_sheet as write_issues
from limbeck.review.tag_issues import TagIssues, review_tags
from limbeck.storage import check_place


@said_in_python()
def find_label_issues(
    run: Run | Predictions, *, cross_fit: int | None = None, progress: ProgressLike = None
) -> LabelIssues:
    """Rank training rows by how probably their label is wrong.

    Args:
        run: a run folder, or what `train` returned: of a probe the rows are answered a second time by fits that learn
            little from suspect labels, and equal and nearly equal texts are looked for. Or out-of-fold `Predictions`,
            every row labelled: then they are all that is looked at, and the order is a little worse.
        cross_fit: of a run that is no probe: train this many further models, each on all folds but one, and judge each
            row by the model that did not see it.
        progress: True shows what is being done.

    Raises:
        SettingsError: the run has no out-of-fold predictions; says how to get them.
        DataError: a row has no label, or there is one class.

    Example:
        >>> issues = find_label_issues("RUN")
        >>> issues.worst(1)[0].label_quality <= issues.worst(2)[1].label_quality
        True
    """
    following = as_progress(progress)
    if isinstance(run, Predictions):
        return find_in_answers(run)
    past = open_past_run(run_path(run))
    if cross_fit is not None:
        search = search_with_cross_fit(past, cross_fit, progress=following)
    else:
        search = search_labels(past, progress=following)
    if search.note:
        following.say(search.note)
    return search.issues


@said_in_python()
def find_tag_issues(run: Run | MultiPredictions, *, incomplete: bool = False) -> TagIssues:
    """Find labels that are missing and labels that are too many, where rows have any number of them.

    Args:
        run: a run folder, or what `train` returned; or out-of-fold `MultiPredictions`, every row's labels known.
        incomplete: the labels that a row has are mostly right, and one that it has not says little, as where people
            gave the labels that they thought of.

    Raises:
        SettingsError: the rows of the run have one label each, or it has no out-of-fold predictions.
        DataError: the labels of a row are not known.

    Example:
        >>> import pyarrow as pa
        >>> answers = MultiPredictions(
        ...     row_ids=["1", "2"],
        ...     label_names=["a", "b"],
        ...     probabilities=[[0.9, 0.1], [0.8, 0.9]],
        ...     true_labels=pa.array([[0], []]),
        ...     tokens=[3, 3],
        ...     truncated=[False, False],
        ... )
        >>> find_tag_issues(answers).worst("missing", 1)[0].row_id
        '2'
    """
    if isinstance(run, MultiPredictions):
        return review_tags(run, incomplete=incomplete)
    found = search_tags(open_past_run(run_path(run)), incomplete=incomplete)
    if found is None:
        raise SettingsError(f"{run_path(run)} has no out-of-fold answers with any number of labels per row")
    return found


@said_in_python()
def write_sheet(
    issues: LabelIssues | TagIssues, path: str | Path, *, rows: int | None = None, overwrite: bool = False
) -> Path:
    """Write the worst rows into a CSV file for a spreadsheet; a person fills in its column new_label.

    Args:
        issues: what `find_label_issues` or `find_tag_issues` found.
        path: a file that ends in .csv.
        rows: how many; those whose label looks wrong, and 100 at least, when not given.
        overwrite: replace a file that is there.

    Raises:
        DataError: the predictions hold no texts.
        StorageError: the file cannot be written.

    Example:
        >>> write_sheet(find_label_issues("RUN"), "review.csv", rows=3).name
        'review.csv'
    """
    place = Path(path)
    check_place(place, (".csv",), overwrite=overwrite)
    write_issues(place, issues, count=issues.rows_to_review(rows))
    return place


@said_in_python()
def apply_corrections(
    data: Rows, sheet: str | Path, *, out: str | Path | None = None, progress: ProgressLike = None
) -> Corrections:
    """Give rows the labels that a reviewed sheet decides; `.dataset` of the result has all rows.

    Args:
        data: the rows that were reviewed, as a `Dataset` or a path.
        sheet: the file that came back from the spreadsheet.
        out: folder to make, with the rows and the log of changes; nothing is written when not given.
        progress: True shows what is being done.

    Raises:
        DataError: it is no review sheet, nothing is decided in it, or a decision does not fit the data.
        StorageError: the sheet is unreadable, or `out` is there already.

    Example:
        >>> corrected = apply_corrections(data, "reviewed.csv")
        >>> corrected.changes.num_rows
        1
    """
    dataset = dataset_of(data, UNLABELLED_TOO, as_progress(progress), where="apply_corrections")
    return correct_rows(dataset, Path(sheet), None if out is None else Path(out))
