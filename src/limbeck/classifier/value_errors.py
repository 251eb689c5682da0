"""Errors that are of both trees: limbeck's, and the `ValueError` that scikit-learn expects of wrong arguments.

In: a block of work. Out: the same, its errors about data and settings catchable either way.
It does not know what is estimated.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from limbeck.errors import DataError, LimbeckError, SettingsError, TrainingError


class DataValueError(DataError, ValueError):
    """The rows that were given are wrong."""


class SettingsValueError(SettingsError, ValueError):
    """A parameter of an estimator is wrong."""


class TrainingValueError(TrainingError, ValueError):
    """The rows that were given are too few, or cannot be learned."""


_BOTH: dict[type[LimbeckError], type[LimbeckError]] = {
    DataError: DataValueError,
    SettingsError: SettingsValueError,
    TrainingError: TrainingValueError,
}


@contextmanager
def value_errors() -> Iterator[None]:
    """Raise the errors about data, settings and training as `ValueError` too."""
    try:
        yield
    except (DataError, SettingsError, TrainingError) as error:
        if isinstance(error, ValueError):
            raise
        kind = next(both for one, both in _BOTH.items() if isinstance(error, one))
        raise kind(str(error)) from error
