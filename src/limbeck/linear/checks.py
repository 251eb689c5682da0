"""What must hold before a probe is fitted.

In: settings, features, labels and the names of the classes. Out: nothing, or an error that says what to do.
It does not know penalties' scores, nor how anything is fitted. NumPy is loaded by what looks at arrays: settings are
checked before it is needed, and the command line's help needs none.
"""

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING, Any

from limbeck.errors import DataError, FaultLog, SettingsError, TrainingError
from limbeck.settings import ProbeSettings, check_seed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FEWEST_NUMBERS = 4
"""Rows with a number, at least: two to learn from and two to hold out."""


SHOWN_LABELS = 20
"""Names that a message lists."""


def check_probe(settings: ProbeSettings) -> None:
    """Refuse settings that no probe can be fitted with; no data is needed to see it.

    Raises:
        SettingsError: gathers every fault.
    """
    check_seed(settings.seed)
    faults = FaultLog()
    if not settings.penalties:
        faults.add("penalties = () leaves nothing to choose from: give at least one value of C")
    faults.extend(
        f"penalties: C = {penalty:g} is not possible: give a value above 0 and below infinity"
        for penalty in settings.penalties
        if not 0 < penalty < inf
    )
    if settings.folds < 2:
        faults.add(f"folds = {settings.folds} is not possible: cross-validation needs at least 2")
    faults.raise_as(SettingsError, what="the settings of the probe are wrong", todo="correct them and run it again")


def check_probe_labels(labels_N: "NDArray[np.int64]", label_names: Sequence[str]) -> None:
    """Refuse labels from which no classifier can be cross-validated.

    Raises:
        DataError: a label lies outside the classes.
        TrainingError: there are fewer than two classes, or one has fewer than two rows.
    """
    import numpy as np

    classes = len(label_names)
    outside = np.flatnonzero((labels_N < 0) | (labels_N >= classes))
    if len(outside):
        row = int(outside[0])
        raise DataError(
            f"{len(outside):,} labels lie outside 0 to {classes - 1}; the first is {labels_N[row]} in row {row}"
        )
    if classes < 2:
        raise TrainingError(f"there is {classes} class; a classifier needs at least 2")
    counts_C = np.bincount(labels_N, minlength=classes)
    if absent := [name for name, count in zip(label_names, counts_C, strict=True) if not count]:
        raise TrainingError(
            f"no training row of {', '.join(absent)}: a classifier cannot learn a class that it never sees; add rows, "
            "or leave the class out of the label names"
        )
    if single := [name for name, count in zip(label_names, counts_C, strict=True) if count == 1]:
        raise TrainingError(
            f"{', '.join(single)}: one training row; cross-validation must train on some rows of each class and hold "
            "out others; add rows of it, or leave the class out"
        )


def check_features(features_NF: "NDArray[np.float32]", targets: "NDArray[Any]") -> None:
    """Refuse an array that does not go with the labels.

    Raises:
        DataError: the shapes do not go together.
    """
    if features_NF.ndim != 2 or len(features_NF) != len(targets):
        raise DataError(f"features of shape {features_NF.shape} do not go with {len(targets):,} labels")


def check_numbers(numbers_N: "NDArray[np.float64]") -> None:
    """Refuse numbers that nothing can be learned from.

    Raises:
        DataError: one is not finite.
        TrainingError: there are too few, or all are the same.
    """
    import numpy as np

    faults = FaultLog()
    faults.extend(f"row {row}: {numbers_N[row]}" for row in np.flatnonzero(~np.isfinite(numbers_N)))
    faults.raise_as(DataError, what="a number to learn is not finite", todo="correct or leave out these rows")
    if len(numbers_N) < FEWEST_NUMBERS:
        raise TrainingError(f"{len(numbers_N)} rows have a number; at least {FEWEST_NUMBERS} are needed: add rows")
    if np.ptp(numbers_N) == 0:
        raise TrainingError(f"every row has the number {numbers_N[0]:g}: there is nothing to learn; add other rows")


def refuse_unfinite(features_NF: "NDArray[np.float32]") -> None:
    """Say which rows hold something that is not a finite number, where some do.

    Raises:
        DataError: counts them and names the first.
    """
    import numpy as np

    wrong = [row for row, line in enumerate(features_NF) if not np.isfinite(line).all()]
    if wrong:
        raise DataError(
            f"features of {len(wrong):,} rows are not finite numbers; the first is row {wrong[0]}: "
            "look at the text and the encoder's weights, and compute the features again"
        )


def check_probe_targets(targets_NL: "NDArray[np.bool_]", label_names: Sequence[str], settings: ProbeSettings) -> None:
    """Refuse labels of which no probe can be cross-validated, and balances that only one class a row has.

    Raises:
        SettingsError: rows cannot be copied or mixed for one label without changing what they say of the others.
        DataError: there are other labels than names.
        TrainingError: there is no label, or some have fewer than two rows with it or without it.
    """
    if settings.balance not in ("none", "weights"):
        raise SettingsError(
            f"balance = {settings.balance!r} is for one label per row: a row that is copied or mixed for one label "
            "says something of all the others; give --balance weights, or leave it out"
        )
    if targets_NL.shape[1] != len(label_names):
        raise DataError(f"{targets_NL.shape[1]:,} labels do not go with {len(label_names):,} names")
    if not label_names:
        raise TrainingError("there is no label; a classifier needs at least 1")
    with_L = targets_NL.sum(axis=0)
    rows = len(targets_NL)
    scarce = {
        "training rows with it": [name for name, count in zip(label_names, with_L, strict=True) if count < 2],
        "training rows without it": [name for name, count in zip(label_names, with_L, strict=True) if count > rows - 2],
    }
    for what, names in scarce.items():
        if names:
            more = f" and {len(names) - SHOWN_LABELS:,} more" if len(names) > SHOWN_LABELS else ""
            raise TrainingError(
                f"{', '.join(names[:SHOWN_LABELS])}{more}: fewer than 2 {what}; cross-validation must train on some "
                "and hold out others; add such rows, or leave the label out of the data"
            )
