"""Label search: the label issues of a run's training rows, with all the evidence that a run has.

In: a finished run that has out-of-fold predictions. Out: `LabelIssues`. Of a probe the rows are answered a second time,
by fits that learn little from suspect labels (`second_fit`, which keeps them in the run). Equal and nearly equal texts
are looked for. It does not know what is done about an issue.
"""

from dataclasses import dataclass

import pyarrow as pa

from limbeck.audit.label_votes import count_votes
from limbeck.errors import DataError, SettingsError, TrainingError
from limbeck.evaluation.label_issues import LabelIssues, find_label_issues
from limbeck.evaluation.prediction_files import read_predictions
from limbeck.features.cache import FeatureCache
from limbeck.progress import SILENT, Progress
from limbeck.training.past_run import PastRun
from limbeck.training.probe_training import OUT_OF_FOLD, ProbeTraining
from limbeck.training.second_fit import answer_again


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelSearch:
    """What a search found.

    Attributes:
        issues: every training row, worst first.
        second_fit: whether rows were answered a second time.
        note: why they were not, in words; empty where they were.
    """

    issues: LabelIssues
    second_fit: bool
    note: str


def search_labels(run: PastRun, *, cache: FeatureCache | None = None, progress: Progress = SILENT) -> LabelSearch:
    """Find the training rows whose label is probably wrong.

    Raises:
        SettingsError: the run has no out-of-fold predictions; says how to get them.
        DataError: they hold no texts.
    """
    place = run.folder.predictions(OUT_OF_FOLD)
    if not place.exists():
        raise SettingsError(
            f"{run.folder.path} has no out-of-fold predictions, and a model's answers to the rows that it learned from "
            "tell nothing about their labels: add --cross-fit 5 (it trains five more models with the run's settings), "
            "or train a probe, which has them at once"
        )
    found = read_predictions(place)
    if found.texts is None:
        raise DataError(f"{place} holds no texts: train again")
    labels_N = found.known_labels
    votes = count_votes(pa.array(found.texts, pa.large_string()), labels_N, len(found.label_names), progress=progress)
    if not isinstance(run.training, ProbeTraining):
        issues = find_label_issues(found, votes=votes)
        return LabelSearch(
            issues=issues, second_fit=False, note=f"a second fit is made for probes only, not {run.method}"
        )
    try:
        second_NC = answer_again(run, run.training, found, votes, cache or FeatureCache(), progress)
    except TrainingError as error:
        return LabelSearch(issues=find_label_issues(found, votes=votes), second_fit=False, note=str(error))
    return LabelSearch(issues=find_label_issues(found, votes=votes, second_NC=second_NC), second_fit=True, note="")
