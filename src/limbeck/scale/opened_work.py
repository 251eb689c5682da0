"""Opened work: work with the model that it needs, ready to compute; what each kind of work implements.

In: a dataset, some rows at a time. Out: a table of what a part holds of them. It does not know units, files or who
computes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from limbeck.data.dataset import Dataset
from limbeck.inference.choice import engine_name
from limbeck.inference.engine import Engine
from limbeck.settings import Device, EngineName, ReadSettings


@dataclass(frozen=True, kw_only=True)
class MadeWith:
    """What computes, so that another process can tell whether it has the same.

    Attributes:
        model: its place or name, by which it can be opened anywhere; empty for work without one.
        bundle: digest of all in the model that decides.
        engine: that computes; None for work without a model.
        build: which version of the engine.
        device: that it computes on.
    """

    model: str
    bundle: str
    engine: EngineName | None
    build: str
    device: Device


@dataclass(frozen=True, kw_only=True, eq=False)
class PieceAnswers:
    """What a part holds of some rows.

    Attributes:
        table: as it is written.
        count_cut: texts that were longer than the limit.
        count_unread: texts that the model could not read.
    """

    table: pa.Table
    count_cut: int
    count_unread: int = 0


class OpenedWork(Protocol):
    """One kind of work, ready to compute."""

    @property
    def made_with(self) -> MadeWith:
        """What computes."""

    def reading(self, given: Mapping[str, Any]) -> ReadSettings:
        """Return how files are read: as this work needs it, with the fields that were given."""

    def count_tokens(self, texts: Sequence[str]) -> int:
        """Return how many tokens are read of texts."""

    def compute(self, texts: Sequence[str]) -> object:
        """Do the work on texts and keep nothing; it is timed."""

    def answer(self, dataset: Dataset, others: pa.Table | None) -> PieceAnswers:
        """Do the work on some rows.

        Args:
            dataset: the rows.
            others: their own columns, the same ones for every piece of a file.

        Raises:
            DataError: such rows cannot be answered.
            SettingsError: what is wanted cannot be had of these columns or this model.
        """

    def joined(self, tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
        """Return what a part holds of its tables: themselves, or one that sums them up."""


def made_with(engine: Engine, *, model: str, bundle: str) -> MadeWith:
    """Say what an engine computes with."""
    return MadeWith(
        model=model,
        bundle=bundle,
        engine=engine_name(engine),  # type: ignore[arg-type]  # the names are those of the type
        build=engine.build,
        device=engine.numerics.rpartition(" ")[2],  # type: ignore[arg-type]  # the last word of numerics is a device
    )
