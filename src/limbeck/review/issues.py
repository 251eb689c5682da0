"""Label issues: the rows in the order in which their labels should be looked at.

In: out-of-fold `Predictions` of labelled rows, and where they are known the votes of rows that say the same and the
answers of a second fit. Out: `LabelIssues`: for each row how probable it is that its label is right, the label that is
probably true, and the reason in words.
It does not know models or files, nor whether anybody will agree.

label_quality = posterior(given label), in three steps:
1. p(k), out of fold; where a second fit was made that learned little from suspect labels, its answers.
2. × P(given label | k), normalised: what the label itself says (`noise`).
3. × the votes of equal and nearly equal texts, normalised (`votes`).
The suggested label is the most probable other one; it is worth taking where the quality is below that.
"""

from dataclasses import dataclass

import numpy as np

from limbeck.errors import DataError
from limbeck.evaluation import metrics
from limbeck.evaluation.predictions import Predictions
from limbeck.review.label_doubts import LabelDoubts, LabelIssue
from limbeck.review.noise import ConfidentLearning, LabelNoise, estimate_noise, learn_confidently, weigh_labels
from limbeck.review.votes import LabelVotes, weigh_votes


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class LabelIssues(LabelDoubts):
    """Every row, by how probably its label is wrong.

    Shapes: N rows, C classes.

    Attributes:
        predictions: out of fold, what a model that did not see the row said of it.
        quality_N: probability that the given label is right, float64.
        suggested_N: the most probable other label, int64.
        posterior_NC: probability of each label being the true one, float64.
        order_N: rows, the least quality first; of equals, the first row first.
        noise: how labels go wrong, as the anchors say.
        learning: what confident learning says of the same probabilities.
        votes: what rows that say the same are labelled; None where they were not looked for.
    """

    predictions: Predictions
    quality_N: np.ndarray
    suggested_N: np.ndarray
    posterior_NC: np.ndarray
    order_N: np.ndarray
    noise: LabelNoise
    learning: ConfidentLearning
    votes: LabelVotes | None

    def __len__(self) -> int:
        return len(self.quality_N)

    @property
    def label_names(self) -> tuple[str, ...]:
        """The class names, in the order of the probabilities."""
        return self.predictions.label_names

    @property
    def probably_wrong(self) -> int:
        """Rows of which another label is more probable than the given one."""
        labels_N = self.predictions.known_labels
        return int((self.posterior_NC.argmax(axis=1) != labels_N).sum())

    @property
    def right(self) -> int:
        """Rows whose label is the most probable one, out of fold."""
        return int((self.predictions.predicted == self.predictions.known_labels).sum())

    def worst(self, count: int) -> tuple[LabelIssue, ...]:
        """Return the rows of the least quality, least first."""
        return tuple(self.issue(int(row)) for row in self.order_N[:count])

    def issue(self, row: int) -> LabelIssue:
        """Return one row."""
        found = self.predictions
        return LabelIssue(
            row_id=found.row_ids[row],
            text=None if found.texts is None else found.texts[row],
            label=found.label_names[found.known_labels[row]],
            suggested_label=found.label_names[self.suggested_N[row]],
            label_quality=float(self.quality_N[row]),
            reason=self.reason(row),
            flagged=bool(self.learning.flagged_N[row]),
        )

    def reason(self, row: int) -> str:
        """Say why: "out of fold the model gives joy 0.02, sadness 0.95; an equal text is labelled sadness"."""
        found = self.predictions
        label, suggested = int(found.known_labels[row]), int(self.suggested_N[row])
        names, shares_C = found.label_names, found.probabilities[row]
        said = (
            f"out of fold the model gives {names[label]} {shares_C[label]:.2f}, "
            f"{names[suggested]} {shares_C[suggested]:.2f}"
        )
        votes = () if self.votes is None else self.votes.say(row, label, names)
        return "; ".join((said, *votes))

    @property
    def disagreeing(self) -> int | None:
        """Rows with an equal or nearly equal text that is labelled otherwise; None where they were not looked for."""
        return None if self.votes is None else int(self.votes.disagree(self.predictions.known_labels).sum())


def find_label_issues(
    predictions: Predictions, *, votes: LabelVotes | None = None, second_NC: np.ndarray | None = None
) -> LabelIssues:
    """Rank rows by how probably their label is wrong, from predictions alone.

    The command `limbeck labels` knows more, and ranks better: of a probe it answers the rows a second time, learning
    little from suspect labels, and it looks for equal and nearly equal texts. From Python the same is
    `limbeck.review.label_search.search_labels(open_past_run("RUN"))`; what it adds are `votes` and `second_NC` here.

    Args:
        predictions: out of fold, every row labelled.
        votes: of the same rows.
        second_NC: answers of a fit that learned little from suspect labels, out of fold as well, (N, C).

    Raises:
        DataError: a row has no label, there is one class, or votes or answers are of other rows.
    """
    if len(predictions.labelled_rows) != len(predictions):
        missing = len(predictions) - len(predictions.labelled_rows)
        raise DataError(f"{missing:,} of {len(predictions):,} rows have no label: there is nothing in them to be wrong")
    labels_N = predictions.known_labels
    learning = learn_confidently(predictions.probabilities, labels_N)
    base_NC = predictions.probabilities if second_NC is None else second_NC
    for what, array in (("second answers", base_NC), ("votes", None if votes is None else votes.equal_NC)):
        if array is not None and array.shape != predictions.probabilities.shape:
            raise DataError(f"{what} have shape {array.shape}, the predictions {predictions.probabilities.shape}")
    metrics.check_probabilities(base_NC)
    noise = estimate_noise(base_NC, labels_N)
    posterior_NC = weigh_labels(base_NC, labels_N, noise)
    if votes is not None:
        posterior_NC = weigh_votes(posterior_NC, votes, noise)
    against = odds_of_labels(posterior_NC, labels_N)
    return LabelIssues(
        predictions=predictions,
        quality_N=against.quality_N,
        suggested_N=against.suggested_N,
        posterior_NC=posterior_NC,
        order_N=np.argsort(-against.odds_N, kind="stable"),
        noise=noise,
        learning=learning,
        votes=votes,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelOdds:
    """What speaks against labels; each array is (N,).

    Attributes:
        quality_N: probability that the given label is right, float64.
        suggested_N: the most probable other label, int64.
        odds_N: logarithm of the odds against the given label: the rows' order, since rounding makes equals of the worst
            rows' qualities.
    """

    quality_N: np.ndarray
    suggested_N: np.ndarray
    odds_N: np.ndarray


def odds_of_labels(posterior_NC: np.ndarray, labels_N: np.ndarray) -> LabelOdds:
    """Return what speaks against labels (N,) by the probability of each label being the true one (N, C)."""
    places_N = np.arange(len(labels_N))
    quality_N = posterior_NC[places_N, labels_N]
    others_NC = posterior_NC.copy()
    others_NC[places_N, labels_N] = -1.0
    return LabelOdds(
        quality_N=quality_N,
        suggested_N=others_NC.argmax(axis=1).astype(np.int64),
        odds_N=np.log(np.clip(others_NC, 1e-300, None).sum(axis=1)) - np.log(np.clip(quality_N, 1e-300, None)),
    )
