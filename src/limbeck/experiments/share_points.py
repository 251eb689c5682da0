"""Share points: how good a probe is that learned from a part of its training rows.

In: a finished probe run. Out: an `Evaluation` of the validation rows by training rows. The parts are nested, each
class in the same share; penalty and features are those that the run chose, so the curve tells of rows alone. The whole
is the run itself. It does not know charts.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy.special import softmax

from limbeck import storage
from limbeck.errors import SettingsError
from limbeck.evaluation.evaluation import Evaluation, evaluate
from limbeck.evaluation.prediction_files import read_predictions
from limbeck.experiments.row_features import encode_rows
from limbeck.features.cache import FeatureCache
from limbeck.linear.fit import ProbeRows, fit_probe
from limbeck.methods.past_run import PastRun
from limbeck.methods.probe_kinds import OUT_OF_FOLD
from limbeck.methods.trainings import ProbeTraining
from limbeck.progress import SILENT, Progress
from limbeck.runs.training_rows import alike_texts

SHARES = (0.1, 0.2, 0.4, 0.7)
"""Of the training rows; the whole is known already."""
FEWEST_TO_LEARN_FROM = 10
"""Of each class in a part, while it has so many."""
_FOLDS = 2
"""The fewest that the probe's fit can do with: its answers out of fold are not used here."""


def fit_shares(
    run: PastRun,
    *,
    shares: Sequence[float] = SHARES,
    cache: FeatureCache | None = None,
    progress: Progress = SILENT,
) -> dict[int, Evaluation]:
    """Fit the run's probe on parts of its training rows and score each on the validation rows.

    Returns:
        by the number of rows that were learned from, ascending; the last is the run itself.

    Raises:
        SettingsError: the run is no probe: every part would be a whole training.
        TrainingError: a fit does not converge.
    """
    if not isinstance(run.training, ProbeTraining):
        raise SettingsError(
            f"a learning curve by rows is made for probes only, not {run.method}, where each point is a whole training"
        )
    train, judged = (read_predictions(run.folder.predictions(name)) for name in (OUT_OF_FOLD, "validation"))
    features_NF, judged_NF = (
        encode_rows(run.folder, found.texts or (), np.arange(len(found)), cache=cache, progress=progress)
        for found in (train, judged)
    )
    settings = replace(run.training.probe, penalties=(run.metrics["probe"]["penalty"],), folds=_FOLDS)
    known = Evaluation.from_dict(run.metrics["validation"])
    majority = known.label_names.index(known.baseline.label)
    group_N = None if train.texts is None else alike_texts(train.texts, progress)
    points = {}
    parts = [part_of(train.known_labels, share, seed=settings.seed) for share in shares]
    with progress.track("learning curve", total=sum(map(len, parts)), unit="rows") as advance:
        for rows_N in parts:
            fit = fit_probe(
                features_NF[rows_N],
                ProbeRows(
                    labels_N=train.known_labels[rows_N],
                    label_names=train.label_names,
                    group_N=None if group_N is None else group_N[rows_N],
                ),
                settings=settings,
            )
            logits_NC = judged_NF.astype(np.float64) @ fit.weight_CF.T.astype(np.float64) + fit.bias_C
            points[len(rows_N)] = evaluate(
                softmax(logits_NC, axis=1),
                judged.known_labels,
                judged.label_names,
                majority_label=majority,
                seed=settings.seed,
            )
            advance(len(rows_N))
    points[len(train)] = known
    storage.write_json(run.folder.share_curve, {str(rows): found.to_dict() for rows, found in points.items()})
    return points


def part_of(labels_N: np.ndarray, share: float, *, seed: int) -> np.ndarray:
    """Return the rows of a share of each class, ascending; a larger share holds every smaller one."""
    order = np.random.default_rng(seed).permutation(len(labels_N))
    taken = []
    for label in np.unique(labels_N):
        own = order[labels_N[order] == label]
        taken.append(own[: max(FEWEST_TO_LEARN_FROM, round(share * len(own)))])
    return np.sort(np.concatenate(taken))
