"""Which column is the text, which the label, which the split and which the row id.

In: the column names of one file, and the settings. Out: a `ColumnNames`, or a `DataError` that lists what there is.
It does not look at any value.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from limbeck.data.dataset import LABEL_NAME
from limbeck.data.names import name_key, shown
from limbeck.errors import DataError, SettingsError
from limbeck.setting_tables import names_of
from limbeck.settings import ReadSettings

TEXT_NAMES = (
    "text",
    "texts",
    "sentence",
    "content",
    "document",
    "review",
    "tweet",
    "comment",
    "message",
    "body",
    "utterance",
    "텍스트",
    "문장",
    "본문",
    "내용",
    "리뷰",
    "댓글",
    "발화",
)
"""Usual names of the text column; where several are there, the first of this list is taken."""

LABEL_NAMES = (
    "label",
    "labels",
    "target",
    "class",
    "category",
    "sentiment",
    "emotion",
    "intent",
    "topic",
    "cats",  # spaCy's, an object of scores
    "라벨",
    "레이블",
    "감정",
    "감성",
    "분류",
    "클래스",
    "카테고리",
)
"""Usual names of the label column; where several are there, the first of this list is taken."""

PAIR_NAMES = (
    ("premise", "hypothesis"),
    ("sentence1", "sentence2"),
    ("question1", "question2"),
    ("question", "passage"),
    ("text_a", "text_b"),
    ("text1", "text2"),
)
"""Usual names of two texts that belong together. They are suggested, never taken unasked."""

_TEXT_KEYS = frozenset(map(name_key, TEXT_NAMES))
_LABEL_KEYS = frozenset(map(name_key, LABEL_NAMES))
_USUAL_KEYS = _TEXT_KEYS | _LABEL_KEYS | {LABEL_NAME, "split", "row_id", "id"}
_SHOWN_CHARS = 40
_SHOWN_NAMES = 20
_NAME_WORDS = 4
"""A name of more words than this is no name."""
_ROWS_TO_PREDICT = "; rows without labels are for limbeck predict"


@dataclass(frozen=True, kw_only=True)
class ColumnNames:
    """The columns of one file, by the file's own names.

    Attributes:
        text: the text, or the first of two.
        second: the second text of a pair; None where a row has one text.
        label: the label, by name or integer; None where the file has none.
        indicators: columns of 0 and 1, one a label, in the place of a label column; none unless they were named.
        label_index: integers that `label` names, where the file has both.
        split: the split, where the file has such a column.
        row_id: the row id, where the file has such a column.
        others: every other column → the name under which it is kept.
    """

    text: str
    second: str | None
    label: str | None
    label_index: str | None
    split: str | None
    row_id: str | None
    others: dict[str, str]
    indicators: tuple[str, ...] = ()

    @property
    def has_labels(self) -> bool:
        """True when the file has labels, in one column or in several."""
        return self.label is not None or bool(self.indicators)

    @property
    def label_place(self) -> str:
        """What messages call the column that a label stands in."""
        if self.label is None and self.indicators:
            return self.indicators[0] + (f", …, {self.indicators[-1]}" if len(self.indicators) > 1 else "")
        return self.label or "label"


def find_columns(names: Sequence[str], settings: ReadSettings, *, file: str, split: str) -> ColumnNames:
    """Find the columns of one file; names are compared by `names.name_key`.

    Args:
        names: the file's column names.
        settings: names given by hand, and whether a label is needed.
        file: what messages call the file.
        split: the file's own split; an unsupervised one needs no label.

    Raises:
        DataError: the text column, or a label column that is needed, is not there; lists the columns and the nearest.
    """
    text, second = _find_texts(names, settings, file)
    rest = [name for name in names if name not in (text, second)]
    indicators = _find_indicators(rest, names, settings, file)
    label, label_index = (None, None) if indicators else _find_label(rest, names, settings, file, split)
    reserved = {"row_id", "split", "text", "label", LABEL_NAME}
    taken = {text, second, label, label_index, "split", "row_id", *indicators}
    kept: dict[str, str] = {}
    for name in names:
        if name not in taken:
            new = name
            while new in reserved or new in kept.values() or (new != name and new in names):
                new += "_"
            kept[name] = new
    return ColumnNames(
        text=text,
        second=second,
        label=label,
        label_index=label_index,
        split="split" if "split" in names and "split" not in (text, second, label) else None,
        row_id="row_id" if "row_id" in names and "row_id" not in (text, second, label) else None,
        others=kept,
        indicators=indicators,
    )


def has_text_column(names: Sequence[str], settings: ReadSettings) -> bool:
    """Tell whether one of these names is the text column's, or two are the two text columns'."""
    keys = set(map(name_key, names))
    if settings.text_column is None:
        return not keys.isdisjoint(_TEXT_KEYS)
    return all(name_key(given) in keys for given in text_names(names, settings.text_column))


def text_names(names: Sequence[str], given: str) -> tuple[str, ...]:
    """Return the names of the text columns that were given: one, or `a,b`, the two of a pair.

    A column of just that name, comma and all, is one; elsewhere a name that holds a comma stands in double quotes.

    Raises:
        SettingsError: there are more than two, twice the same, or quotes are not closed.

    Example:
        >>> text_names(["premise", "hypothesis"], "premise,hypothesis"), text_names(["a,b"], "a,b")
        (('premise', 'hypothesis'), ('a,b',))
    """
    if name_key(given) in map(name_key, names):
        return (given,)
    found = names_of(given)
    if len(found) == 1:
        return (given,)
    if len(found) not in (0, 2) or not all(found) or len(set(map(name_key, found))) < len(found):
        raise SettingsError(
            f"text_column = {given!r} is not possible: give the name of one column, or of two, --text-column a,b, "
            "whose texts a model reads together"
        )
    return found or (given,)


def _find_texts(names: Sequence[str], settings: ReadSettings, file: str) -> tuple[str, str | None]:
    """Return the text column, and that of the second text where two were given."""
    given: tuple[str | None, ...] = (None,) if settings.text_column is None else text_names(names, settings.text_column)
    found = []
    for name in given:
        text = _find(name, TEXT_NAMES, names, file)
        if text is None:
            raise DataError(_missing("text", name, names, file))
        found.append(text)
    if len(found) == 1:
        return found[0], None
    first, second = found
    if core := [name for name in found if name in ("row_id", "split", "label", LABEL_NAME)]:
        raise DataError(
            f"{file}: column {core[0]!r} cannot be one of two texts, as limbeck writes something else by that name: "
            "give the column another name"
        )
    return first, second


def has_usual_name(names: Sequence[str]) -> bool:
    """Tell whether one of these names is a usual one of any column, as in a first line that names columns."""
    return not {name_key(name) for name in names}.isdisjoint(_USUAL_KEYS)


def say_choice(columns: ColumnNames, names: Sequence[str], settings: ReadSettings) -> str | None:
    """Say which columns were taken by their usual names, where there was a choice or the names are not the plain ones.

    Returns:
        None where both were given by hand, or are `text` and `label` and nothing else could be.
    """
    usual_keys = _TEXT_KEYS if settings.labels == "ignored" else _TEXT_KEYS | _LABEL_KEYS
    usual = [name for name in names if name_key(name) in usual_keys and name != columns.label_index]
    taken = [name for name in (columns.text, columns.second, columns.label) if name is not None]
    plain = columns.text == "text" and columns.label in (None, "label", LABEL_NAME)
    by_hand = settings.text_column is not None and (settings.label_column is not None or columns.label is None)
    if by_hand or (plain and set(usual) <= set(taken)):
        return None
    told = f"text is column {shown_short(columns.text)}"
    if columns.second is not None:
        told += f" and column {shown_short(columns.second)}, read together"
    if columns.indicators:
        told += f", labels are columns {shown_names(columns.indicators)}"
    elif columns.label is not None:
        told += f", label is column {shown_short(columns.label)}"
    return told + (f"; other columns: {shown_names(list(columns.others))}" if columns.others else "")


def shown_short(name: str) -> str:
    """Show a name or a cell in quotes, shortened."""
    return shown(name if len(name) <= _SHOWN_CHARS else f"{name[: _SHOWN_CHARS - 1]}…")


def looks_like_row(names: Sequence[str]) -> bool:
    """Tell whether what stands as a header looks like a row: long or empty-handed cells, sentences, numbers.

    Example:
        >>> looks_like_row(["ham", "Ok, see you later then"]), looks_like_row(["id", "review_text"])
        (True, False)
    """
    if has_usual_name(names):
        return False
    return any(len(name) > _SHOWN_CHARS or len(name.split()) > _NAME_WORDS or _is_number(name) for name in names) or (
        len({name_key(name) for name in names}) < len(names)
    )


def say_no_header(names: Sequence[str], separator: str) -> str:
    """Say that the first line of a table looks like a row, and what to write above it."""
    width = len(names)
    header = ["label", "text"] if width == 2 else ["label", *(["…"] if width > 2 else []), "text"]
    mark = "<TAB>" if separator == "\t" else separator
    return (
        f"the first line looks like a row ({shown_names(names)}), not like the names of columns: "
        f"write a line such as {mark.join(header)} above it, a name for each of its {width:,} cells "
        "(or, if it does name them, give --text-column and --label-column)"
    )


def _find_label(
    rest: Sequence[str], names: Sequence[str], settings: ReadSettings, file: str, split: str
) -> tuple[str | None, str | None]:
    """Return the label column, one of the rest of the names, and the column of integers that it names."""
    if settings.labels == "ignored":
        return None, None
    if settings.label_column is None and "label" in rest and LABEL_NAME in rest:
        return LABEL_NAME, "label"
    label = _find(settings.label_column, (*LABEL_NAMES, LABEL_NAME), rest, file)
    if label is not None:
        return label, None
    needed = settings.labels == "required" or settings.label_column is not None
    if needed and split != "unsupervised":
        raise DataError(_missing("label", settings.label_column, names, file))
    return None, None


def _find_indicators(rest: Sequence[str], names: Sequence[str], settings: ReadSettings, file: str) -> tuple[str, ...]:
    """Return the columns of 0 and 1, of the rest of the names, that were named by hand, by the file's own names.

    Raises:
        DataError: one of them is not there, or two are one column.
        SettingsError: a label column was named beside them.
    """
    if not settings.label_columns or settings.labels == "ignored":
        return ()
    if settings.label_column is not None:
        raise SettingsError("--label-column and --label-columns contradict each other: give one of them")
    found = []
    for given in settings.label_columns:
        column = _find(given, (), rest, file)
        if column is None:
            raise DataError(_missing("label", given, names, file))
        found.append(column)
    if len(set(found)) < len(found):
        raise DataError(f"{file}: --label-columns name a column twice: {shown_names(found)}")
    return tuple(found)


def _find(given: str | None, usual: Sequence[str], names: Sequence[str], file: str) -> str | None:
    """Return the column of the given name, or the one that bears the first of the usual names.

    Raises:
        DataError: two columns have the given name, but for what the eye cannot see.
    """
    if given in names:
        return given
    by_key: dict[str, list[str]] = {}
    for name in names:
        by_key.setdefault(name_key(name), []).append(name)
    if given is None:
        return next((by_key[name_key(key)][0] for key in usual if name_key(key) in by_key), None)
    same = by_key.get(name_key(given), [])
    if len(same) > 1:
        raise DataError(
            f"{file} has several columns {given!r}, which differ in what is hard to see: {shown_names(same)}"
        )
    return same[0] if same else None


def _missing(role: str, given: str | None, names: Sequence[str], file: str) -> str:
    what = f"{file} has no column {shown_short(given)}" if given is not None else f"{file} has no {role} column"
    there = f"{what}: its columns are {shown_names(names) or 'none'}"
    if given is not None:
        near = get_close_matches(given, names, n=1, cutoff=0.5)
        return there + (f"; did you mean {shown_short(near[0])}?" if near else "")
    keys = set(map(name_key, names))
    pair = next((pair for pair in PAIR_NAMES if role == "text" and keys.issuperset(pair)), None)
    if pair is not None:
        return f"{there}. Where a row has two texts that a model reads together, give --text-column {','.join(pair)}"
    usual = LABEL_NAMES if role == "label" else TEXT_NAMES
    nearest = next((name for word in usual for name in get_close_matches(word, names, n=1, cutoff=0.7)), None)
    return (
        f"{there}. Give --{role}-column"
        f"{f' {shown_short(nearest)}, the nearest' if nearest else ''}, or name it {role!r} in the first line"
        f"{_ROWS_TO_PREDICT if role == 'label' else ''}"
    )


def shown_names(names: Sequence[str]) -> str:
    """List names, long ones shortened and many counted."""
    rest = len(names) - _SHOWN_NAMES
    return ", ".join(map(shown_short, names[:_SHOWN_NAMES])) + (f" and {rest:,} more" if rest > 0 else "")


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True
