"""Traits of texts by which rows are grouped: script, negation, whether a text stands elsewhere too.

In: texts, or a dataset and the positions of some of its rows. Out: a word for each row.
It does not know models or scores.

Negation, by rule: English words (not, no, never, none, nobody, nothing, neither, nor, nowhere, without, cannot, and
the verbs that end in n't, with or without its apostrophe); Korean 안 and 못 as words of their own, 못하-, 않-, 아니-,
아닌, 아닙, 아냐, and 없-. So 안 "inside" (집 안) counts wrongly, and negation in other languages is not seen.
"""

import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from limbeck.auditing.characters import SCRIPT_NAMES, one_array, script_counts
from limbeck.auditing.grouping import group_equal
from limbeck.auditing.near import find_near_duplicates
from limbeck.data.dataset import Dataset
from limbeck.evaluation.slices import Term, slice_term
from limbeck.progress import SILENT, Progress

MIXED_SHARE = 0.1
"""A text in which another script has at least this share of the letters is called mixed."""
_CONTRACTED = "ai|are|ca|could|did|do|does|had|has|have|is|must|need|should|was|were|wo|would"
_ENGLISH = rf"\b(?:not|no|never|none|nobody|nothing|neither|nor|nowhere|without|cannot|(?:{_CONTRACTED})n['’]?t)\b"
_KOREAN = r"(?<![가-힣])[안못](?![가-힣])|못[하했한할해합]|않|아니|아닌|아닙|아냐|없"
_NEGATED = re.compile(f"{_ENGLISH}|{_KOREAN}", re.IGNORECASE)


def tell_negation(texts: list[str]) -> list[Term]:
    """Say of each text whether it negates; see the rule above.

    Example:
        >>> [str(one) for one in tell_negation(["i didnt like it", "knotty", "안 좋아요", "안녕"])]
        ['negation', 'no negation', 'negation', 'no negation']
    """
    negation, none = slice_term("negation"), slice_term("no_negation")
    return [negation if _NEGATED.search(text) else none for text in texts]


def tell_scripts(texts: list[str]) -> list[Term]:
    """Say of each text in which script it is written, or in which two, the more frequent first.

    Example:
        >>> [str(one) for one in tell_scripts(["fine", "좋아요", "좋아요 very good", "123"])]
        ['Latin', 'Hangul', 'Latin and Hangul', 'no letters']
    """
    counts = script_counts(one_array(pa.array(texts, pa.large_string())))
    order = np.argsort(-counts, axis=1, kind="stable")[:, :2]
    said = []
    for row, (first, second) in enumerate(order):
        total = counts[row].sum()
        if not total:
            said.append(slice_term("no_letters"))
        elif counts[row, second] >= MIXED_SHARE * total:
            said.append(slice_term("scripts", SCRIPT_NAMES[first], SCRIPT_NAMES[second]))
        else:
            said.append(slice_term("script", SCRIPT_NAMES[first]))
    return said


def tell_repeats(dataset: Dataset, split: str, progress: Progress = SILENT) -> list[Term]:
    """Say of each row of a split whether its text stands elsewhere: in the training rows, else among its own.

    Returns:
        for each row of the split, in order: "equal text in train", "similar text in train", "repeated in this split" or
        "nowhere else". Similar means as `audit.near` has it. Of the split train itself only the last two are said.
    """
    columns = dataset.table["split"].cast(pa.string())
    here = pc.equal(columns, split).to_numpy(zero_copy_only=False)
    train = pc.equal(columns, "train").to_numpy(zero_copy_only=False) & (split != "train")
    texts = dataset.table["text"].filter(pa.array(here | train))
    is_train = train[here | train]
    near = find_near_duplicates(texts, progress=progress).group
    exact = group_equal(one_array(texts))
    equal, similar = (np.isin(group, group[is_train]) for group in (exact, near))
    repeated = np.bincount(near[~is_train], minlength=len(near))[near] > 1
    kinds = ("equal_in_train", "similar_in_train", "repeated", "nowhere_else")
    terms = [slice_term(kind) for kind in kinds]
    first_N = np.select([equal, similar, repeated], [0, 1, 2], 3)
    return [terms[place] for place in first_N[~is_train]]
