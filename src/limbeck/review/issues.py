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

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from limbeck.display.tables import Table
from limbeck.display.views import View, listed
from limbeck.errors import DataError
from limbeck.evaluation import metrics
from limbeck.evaluation.counted import percent
from limbeck.evaluation.predictions import Predictions
from limbeck.evaluation.proportions import Share, share_of
from limbeck.review.noise import ConfidentLearning, LabelNoise, estimate_noise, learn_confidently, weigh_labels
from limbeck.review.votes import LabelVotes, weigh_votes

LEAST_RIGHT = 0.8
"""Share of labels that a model must agree with, out of fold, before its doubts are taken for an estimate of wrong ones:
the mistakes of a weaker one outnumber them."""
SHEET_ROWS = 100
"""Rows to review at least, while there are so many."""


@dataclass(frozen=True, kw_only=True)
class LabelIssue:
    """One row whose label should be looked at.

    Attributes:
        row_id: its id in the dataset.
        text: of the row; None where the predictions hold no texts.
        label: the label it has.
        suggested_label: the most probable other label.
        label_quality: probability that the label is right, 0 to 1.
        reason: why, in words.
        flagged: whether confident learning points at it.
    """

    row_id: str
    text: str | None
    label: str
    suggested_label: str
    label_quality: float
    reason: str
    flagged: bool


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class LabelIssues(View):
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

    def _lines(self) -> tuple[str, str]:
        names = self.predictions.label_names
        mixups = [f"{one.given} → {one.true} {one.rows:,}" for one in self.learning.mixups(names)[:3]]
        most = "not estimated" if self.most_wrong is None else f"at most about {percent(self.most_wrong)}"
        return (
            f"Label issues in {len(self):,} rows: {self.probably_wrong:,} labels look wrong to the model",
            f"labels that are wrong: {most}; mixed up most: {listed(mixups)}",
        )

    def _tables(self) -> Iterator[Table]:
        names = self.predictions.label_names
        yield Table(
            title="Rows whose label is least probably right",
            header=("text", "label", "suggested", "quality", "why"),
            rows=tuple(
                (
                    one.row_id if one.text is None else one.text,
                    one.label,
                    one.suggested_label,
                    f"{one.label_quality:.3f}",
                    one.reason,
                )
                for one in self.worst(8)
            ),
            prose=("label", "suggested", "why"),
        )
        mixups = self.learning.mixups(names)[:5]
        if mixups:
            yield Table(
                title="Mixed up most (confident learning)",
                header=("labelled", "probably", "rows", "share of the label"),
                rows=tuple((one.given, one.true, f"{one.rows:,}", f"{one.share:.3f}") for one in mixups),
                prose=("probably",),
            )

    @property
    def probably_wrong(self) -> int:
        """Rows of which another label is more probable than the given one."""
        labels_N = self.predictions.known_labels
        return int((self.posterior_NC.argmax(axis=1) != labels_N).sum())

    @property
    def doubtful(self) -> Share:
        """The same as a share of the rows, with its interval: of labels that look wrong to the model, not that are."""
        return share_of(self.probably_wrong, len(self))

    @property
    def right_out_of_fold(self) -> Share:
        """How often the model that judges the labels agrees with them, each row by a fit that did not see it."""
        found = self.predictions
        return share_of(int((found.predicted == found.known_labels).sum()), len(self))

    @property
    def most_wrong(self) -> float | None:
        """What share of the labels may be wrong at most (`noise.rate`); None where the model is too weak to tell."""
        return self.noise.rate if self.right_out_of_fold.low >= LEAST_RIGHT else None

    def rows_to_review(self, rows: int | None = None) -> int:
        """Return how many rows a sheet holds: `rows` where given, else those that look wrong, `SHEET_ROWS` at least.

        None looks wrong: 0, there is nothing to review.
        """
        wrong = self.probably_wrong
        return rows or (min(len(self), max(SHEET_ROWS, wrong)) if wrong else 0)

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

    def to_dict(self, count: int) -> dict[str, Any]:
        """Return plain values for JSON: the estimates, the mix-ups in words and the `count` worst rows."""
        names = self.predictions.label_names
        return {
            "rows": len(self),
            "labels": list(names),
            "probably_wrong": self.probably_wrong,
            "doubtful": self.doubtful.to_dict(),
            "most_wrong": self.most_wrong,
            "noise_rate": {"anchors": self.noise.rate, "confident_learning": self.learning.noise_rate},
            "confident_learning": self.learning.to_dict(names),
            "mixups": [
                {"given": one.given, "true": one.true, "share": one.share, "rows": one.rows}
                for one in self.learning.mixups(names)
            ],
            "disagreeing_repeats": self.disagreeing,
            "worst": [vars(one) for one in self.worst(count)],
        }

    @property
    def disagreeing(self) -> int | None:
        """Rows with an equal or nearly equal text that is labelled otherwise; None where they were not looked for."""
        return None if self.votes is None else int(self.votes.disagree(self.predictions.known_labels).sum())

    @property
    def disagreeing_share(self) -> Share | None:
        """The same as a share of the rows, with its interval."""
        return None if self.disagreeing is None else share_of(self.disagreeing, len(self))


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
    places_N = np.arange(len(labels_N))
    quality_N = posterior_NC[places_N, labels_N]
    others_NC = posterior_NC.copy()
    others_NC[places_N, labels_N] = -1.0
    # Rounding makes equals of the worst rows, so the odds against the label decide.
    odds_N = np.log(np.clip(others_NC, 1e-300, None).sum(axis=1)) - np.log(np.clip(quality_N, 1e-300, None))
    return LabelIssues(
        predictions=predictions,
        quality_N=quality_N,
        suggested_N=others_NC.argmax(axis=1).astype(np.int64),
        posterior_NC=posterior_NC,
        order_N=np.argsort(-odds_N, kind="stable"),
        noise=noise,
        learning=learning,
        votes=votes,
    )
