"""What `limbeck.json` of a bundle says: everything about a model that is not a weight or a token.

In: the decoded JSON. Out: `BundleFacts`, checked. It does not know files or weights.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, get_args

from limbeck.data.hierarchy import hierarchy_among
from limbeck.data.text_pairs import are_pairs, as_pairs
from limbeck.errors import BundleError, DataError, FaultLog
from limbeck.evaluation.conformal import ConformalWidth
from limbeck.model.blocks import BLOCK_POOLINGS, Block
from limbeck.settings import HeadKind, TaskKind, WindowName
from limbeck.task import MULTI, REGRESSION, SINGLE, TASKS, Task, task_named
from limbeck.tokens import SMALLEST_LIMIT

FACTS_NAME = "limbeck.json"
FORMAT_VERSION = 1
"""Of the bundle; one more whenever an older limbeck could misread it."""
FEWEST_LABELS = 2
"""Of which one is the answer."""
_LATER: dict[str, Any] = {
    "pair": None,
    "window": None,
    "task": "single",
    "label_thresholds": None,
    "label_parents": False,
    "value_width": None,
}
"""What older bundles do not say, and what they mean by it. It is left out where it says no more than that, so that an
older limbeck opens what it can compute, and refuses the rest by the name that it does not know."""


@dataclass(frozen=True, kw_only=True)
class BundleFacts:
    """What a model is, beside its weights.

    Attributes:
        head: "linear" on any blocks, or "classification", Hugging Face's own on [CLS] of the last layer.
        blocks: what the head sees of the hidden states, in order.
        max_tokens: of a longer text, `window` is read, in rows of this many tokens.
        label_names: the C classes or labels, in the order of the logits; none where the answer is a number.
        folded_temperature: what the head's logits were divided by when it was calibrated; it is in the weights
            already, and stated here so that it can be shown. 1.0 when it was not calibrated.
        thresholds: a row is answered when its highest probability is above its class's threshold, (C,), and else is
            unsure; 0 answers always, 1 never. None: every row is answered.
        pair: the names of the two texts of a row, which the model reads together; None where it reads one. In JSON it
            is left out then, as in bundles of before.
        task: the shape of an answer: see `limbeck.task`.
        label_thresholds: of any number of labels per row: a row is given a label from this probability on, (C,), chosen
            on rows that the model did not learn from; above 1 never. None: from 0.5 on.
        label_parents: of any number of labels per row: whether their names state parents (`role::program`), which a row
            has that has a child of theirs: answers keep to it (see `limbeck.data.hierarchy`).
        value_width: of numbers: how far the interval of each answer reaches, found on rows that the model did not learn
            from; None: no interval is promised.
        provenance: where the model comes from, as JSON: settings, seeds, data fingerprint, versions.
        window: what is read of a longer text; None, as in models of before, for what the tokenizer says.
    """

    head: HeadKind
    blocks: tuple[Block, ...]
    max_tokens: int
    label_names: tuple[str, ...]
    folded_temperature: float = 1.0
    thresholds: tuple[float, ...] | None = None
    pair: tuple[str, str] | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    window: WindowName | None = None
    task: TaskKind = "single"
    label_thresholds: tuple[float, ...] | None = None
    label_parents: bool = False
    value_width: ConformalWidth | None = None

    def as_read(self, texts: Sequence[str]) -> list[str]:
        """Return texts as the model reads them: one text per row, or pairs.

        Raises:
            DataError: rows have one text and the model reads two, or the other way round.
        """
        if self.pair is not None:
            return [*as_pairs(texts, names=self.pair, where="the model")]
        # A model of transformers does not say what it reads.
        if are_pairs(texts) and self.provenance.get("made_by") != "transformers":
            raise DataError(
                "the model reads one text per row, and these rows have two: name one column (--text-column), or train "
                "a model on pairs"
            )
        return list(texts)

    def to_json(self) -> dict[str, Any]:
        """Return what `limbeck.json` says."""
        values = asdict(self)
        values["value_width"] = None if self.value_width is None else self.value_width.to_dict()
        return {
            "format_version": FORMAT_VERSION,
            **{name: value for name, value in values.items() if name not in _LATER or value != _LATER[name]},
        }

    @property
    def shape(self) -> Task:
        """The shape of an answer, which knows what logits mean."""
        return task_named(self.task)

    @property
    def majority_label(self) -> int:
        """The most frequent label of the training rows: what the baseline always says.

        Raises:
            BundleError: the bundle does not state it.
        """
        name = self.provenance.get("majority_label")
        if name not in self.label_names:
            raise BundleError(
                f"the bundle does not state the majority label of its training rows (found {name!r}): train it again"
            )
        return self.label_names.index(name)


def parse_facts(values: Any, *, where: str) -> BundleFacts:
    """Check the values of a `limbeck.json`.

    Args:
        values: the decoded JSON.
        where: the file, for messages.

    Raises:
        BundleError: the format is of another version, or (gathered) keys are missing, unknown or wrong.
    """
    if not isinstance(values, dict):
        raise BundleError(f"{where} is not a model's record: an object of JSON was expected")
    version = values.get("format_version")
    if version != FORMAT_VERSION or isinstance(version, bool):
        raise BundleError(
            f"{where} has format_version {version!r}; this limbeck reads {FORMAT_VERSION}: install the limbeck that "
            "wrote it, or train again"
        )
    faults = FaultLog()
    known = {item.name for item in fields(BundleFacts)}
    values = {**_LATER, **values}
    faults.extend(f"{key} is missing" for key in sorted(known - values.keys()))
    faults.extend(f"{key} is unknown" for key in sorted(values.keys() - known - {"format_version"}))
    for key, check in _CHECKS.items():
        if key in values and (fault := check(values[key])):
            faults.add(f"{key} {fault}")
    if not faults.count:
        faults.extend(_faults_together(values))
    faults.raise_as(BundleError, what=f"{where} is wrong", todo="copy the model folder again, or train again")
    thresholds, label_thresholds = values["thresholds"], values["label_thresholds"]
    return BundleFacts(
        head=values["head"],
        blocks=tuple(Block(**block) for block in values["blocks"]),
        max_tokens=values["max_tokens"],
        label_names=tuple(values["label_names"]),
        folded_temperature=values["folded_temperature"],
        thresholds=None if thresholds is None else tuple(thresholds),
        pair=None if values["pair"] is None else tuple(values["pair"]),
        provenance=values["provenance"],
        window=values["window"],
        task=values["task"],
        label_thresholds=None if label_thresholds is None else tuple(label_thresholds),
        label_parents=values["label_parents"],
        value_width=None if values["value_width"] is None else ConformalWidth.from_dict(values["value_width"]),
    )


def _faults_together(values: Mapping[str, Any]) -> Iterator[str]:
    """Say what does not go together, of values that are sound each by itself."""
    names, task = values["label_names"], values["task"]
    fewest = {"regression": 0, "multi": 1}.get(task, FEWEST_LABELS)
    if len(names) < fewest or (task == "regression" and names):
        expected = "none, as the answer is a number," if task == "regression" else f"at least {fewest}"
        yield f"label_names has {len(names)} names; {expected} were expected"
    if values["value_width"] is not None and task != REGRESSION.name:
        yield f"value_width is for {REGRESSION.words}, but the task is {task!r}"
    for key, kind in (("thresholds", SINGLE), ("label_thresholds", MULTI)):
        if values[key] is not None and task != kind.name:
            yield f"{key} is for {kind.words}, but the task is {task!r}"
        elif values[key] is not None and len(values[key]) != len(names):
            yield f"{key} has {len(values[key])} values for {len(names)} classes"
    if values["label_parents"] and (task != MULTI.name or hierarchy_among(names) is None):
        yield "label_parents is true, but no label names another as its parent"


def _head_fault(value: Any) -> str | None:
    return None if value in get_args(HeadKind) else f"= {value!r} is not one of {', '.join(get_args(HeadKind))}"


def _blocks_fault(value: Any) -> str | None:
    if not isinstance(value, list) or not value:
        return "is not a list of at least one block"
    for block in value:
        if not isinstance(block, dict) or block.keys() != {"layer", "pooling"}:
            return f"has {block!r}, which is not a layer and a pooling"
        if not _is_whole(block["layer"], least=0) or block["pooling"] not in BLOCK_POOLINGS:
            return f"has {block!r}; a layer from 0 and one of {', '.join(BLOCK_POOLINGS)} were expected"
    return None


def _max_tokens_fault(value: Any) -> str | None:
    return (
        None if _is_whole(value, least=SMALLEST_LIMIT) else f"= {value!r} is not a whole number from {SMALLEST_LIMIT}"
    )


def _window_fault(value: Any) -> str | None:
    names = (None, *get_args(WindowName))
    return None if value in names else f"= {value!r} is not one of {', '.join(get_args(WindowName))}"


def _label_names_fault(value: Any) -> str | None:
    if not isinstance(value, list) or not all(isinstance(name, str) and name for name in value):
        return "is not a list of names"
    if broken := [name for name in value if not _is_unicode(name)]:
        return f"has {broken[0]!r}, which is not valid Unicode"
    return "names a class twice" if len(set(value)) != len(value) else None


def _is_unicode(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _temperature_fault(value: Any) -> str | None:
    return None if _is_number(value) and value > 0 else f"= {value!r} is not a finite number above 0"


def _thresholds_fault(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(_is_number(one) and 0 <= one <= 1 for one in value):
        return "is not a list of probabilities"
    return None


def _pair_fault(value: Any) -> str | None:
    if value is None:
        return None
    names = value if isinstance(value, list) else []
    is_pair = len(names) == len(("first", "second")) and all(isinstance(name, str) and name for name in names)
    return None if is_pair and all(map(_is_unicode, names)) else "is not a list of two names"


def _label_thresholds_fault(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(_is_number(one) and 0 <= one <= 2 for one in value):
        return "is not a list of numbers from 0 to 2"
    return None


def _label_parents_fault(value: Any) -> str | None:
    return None if isinstance(value, bool) else f"= {value!r} is neither true nor false"


def _value_width_fault(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, dict) or value.keys() != {"level", "half_width", "rows", "found_on"}:
        return "is not a level, half_width, rows and found_on"
    if not _is_number(value["level"]) or not 0 < value["level"] < 1:
        return f"has the level {value['level']!r}, which is no share"
    if not _is_number(value["half_width"]) or value["half_width"] < 0:
        return f"has the half_width {value['half_width']!r}; a number from 0 was expected"
    if not _is_whole(value["rows"], least=1) or value["found_on"] not in ("out_of_fold", "validation"):
        return "does not say on which rows it was found"
    return None


def _task_fault(value: Any) -> str | None:
    return None if isinstance(value, str) and value in TASKS else f"= {value!r} is not one of {', '.join(TASKS)}"


def _provenance_fault(value: Any) -> str | None:
    return None if isinstance(value, dict) else "is not an object"


_CHECKS = {
    "head": _head_fault,
    "blocks": _blocks_fault,
    "max_tokens": _max_tokens_fault,
    "label_names": _label_names_fault,
    "folded_temperature": _temperature_fault,
    "thresholds": _thresholds_fault,
    "pair": _pair_fault,
    "provenance": _provenance_fault,
    "window": _window_fault,
    "task": _task_fault,
    "label_thresholds": _label_thresholds_fault,
    "label_parents": _label_parents_fault,
    "value_width": _value_width_fault,
}


def _is_whole(value: Any, *, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_number(value: Any) -> bool:
    # Comparing works for integers beyond the floats too, and is false for NaN.
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e300 < value < 1e300
