"""Work: what is done with the rows of units; a kind is one class here, and its line in `work_opening.OPENERS`.

In: nothing. Out: plain values, which name what parts of that kind depend on beside rows and model. They know neither
models nor tables.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

from limbeck.errors import SettingsError
from limbeck.scale.scale_settings import PartFormat
from limbeck.settings import Pooling, WindowName

VectorType = Literal["float32", "float16"]
_KIND = "work"


@dataclass(frozen=True, kw_only=True)
class Answers:
    """A model's answer to each row, as `limbeck predict` writes them.

    Attributes:
        top_k: labels per text in columns of their own; None for none.
    """

    top_k: int | None = None

    command: ClassVar[str] = "predict"
    doing: ClassVar[str] = "answering"
    part_formats: ClassVar[tuple[PartFormat, ...]] = ("parquet", "jsonl", "csv")

    def to_json(self) -> dict[str, Any]:
        """Return the values as JSON has them: without a kind, as they were written when there was only this one."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Vectors:
    """A vector for each row, as `limbeck features` writes them; see `FeatureSettings`.

    Attributes:
        pooling: how the hidden states of a text become one vector.
        layer: hidden state to pool; None for the last.
        max_tokens: of a text that are read; None for what the encoder can read.
        window: what is read of a longer one; None for what its tokenizer says.
        vector_type: type of the numbers; "float16" rounds them.
    """

    pooling: Pooling = "mean"
    layer: int | None = None
    max_tokens: int | None = None
    window: WindowName | None = None
    vector_type: VectorType = "float32"

    command: ClassVar[str] = "features"
    doing: ClassVar[str] = "encoding"
    part_formats: ClassVar[tuple[PartFormat, ...]] = ("parquet",)

    def to_json(self) -> dict[str, Any]:
        """Return the values as JSON has them, and the kind."""
        return {_KIND: "vectors", **asdict(self)}


@dataclass(frozen=True, kw_only=True)
class ScoreCounts:
    """Counts and sums by which `limbeck evaluate` scores all rows together; see `evaluation.score_counts`.

    Attributes:
        split: whose rows are scored; None for all.
    """

    split: str | None = None

    command: ClassVar[str] = "evaluate"
    doing: ClassVar[str] = "scoring"
    part_formats: ClassVar[tuple[PartFormat, ...]] = ("parquet",)

    def to_json(self) -> dict[str, Any]:
        """Return the values as JSON has them, and the kind."""
        return {_KIND: "score_counts", **asdict(self)}


@dataclass(frozen=True, kw_only=True)
class LabelAnswers:
    """A model's answer to each labelled row, by which `limbeck labels` judges the labels of all rows together."""

    command: ClassVar[str] = "labels"
    doing: ClassVar[str] = "answering"
    part_formats: ClassVar[tuple[PartFormat, ...]] = ("parquet",)

    def to_json(self) -> dict[str, Any]:
        """Return the kind; it has no values."""
        return {_KIND: "label_answers"}


@dataclass(frozen=True, kw_only=True)
class AuditCounts:
    """What `limbeck audit` counts of all rows, without a model; see `auditing.row_counts`."""

    command: ClassVar[str] = "audit"
    doing: ClassVar[str] = "counting"
    part_formats: ClassVar[tuple[PartFormat, ...]] = ("parquet",)

    def to_json(self) -> dict[str, Any]:
        """Return the kind; it has no values."""
        return {_KIND: "audit_counts"}


Work = Answers | Vectors | ScoreCounts | LabelAnswers | AuditCounts
_KINDS: Mapping[str, type[Vectors | ScoreCounts | LabelAnswers | AuditCounts]] = {
    "audit_counts": AuditCounts,
    "vectors": Vectors,
    "score_counts": ScoreCounts,
    "label_answers": LabelAnswers,
}


def work_of(values: Mapping[str, Any]) -> Work:
    """Return what `to_json` of a kind made.

    Raises:
        KeyError: there is no such kind.
        TypeError: these are values of another kind.
    """
    if _KIND not in values:
        return Answers(**values)
    return _KINDS[values[_KIND]](**{name: value for name, value in values.items() if name != _KIND})


def require_part_format(work: Work, part_format: PartFormat) -> None:
    """Refuse parts of a format that does not hold what is made.

    Raises:
        SettingsError: names the formats that do.
    """
    if part_format not in work.part_formats:
        raise SettingsError(
            f"part_format = {part_format!r} is not possible: limbeck {work.command} writes parts of "
            f"{' or '.join(work.part_formats)}"
        )
