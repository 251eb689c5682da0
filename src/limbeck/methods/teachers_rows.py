"""Which rows a student may be judged by: its weights begin with its teacher's, so none that the teacher learned from.

In: what the teachers' bundles say of how they were made. Out: the split to use, and which teachers know other rows.
It does not know how rows are split.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from limbeck.methods.teachers import Teacher
from limbeck.settings import SplitSettings


def split_of_teachers(teachers: Sequence[Teacher], given: SplitSettings) -> SplitSettings:
    """Return how validation rows were taken for the first teacher; what is given where its record does not say.

    Only data without a validation split of their own are split so.
    """
    split = _part(teachers[0], "settings", "split")
    share, seed = split.get("validation_share"), split.get("seed")
    if isinstance(share, float) and 0 < share < 1 and type(seed) is int and seed >= 0:
        return replace(given, validation_share=share, seed=seed)
    return given


def made_of_other_rows(teachers: Sequence[Teacher], fingerprint: str) -> list[str]:
    """Return the folders of the teachers of which nobody knows whether they learned from the validation rows.

    Args:
        teachers: models to learn from.
        fingerprint: of the rows and their splits, `Dataset.fingerprint`.
    """
    return [str(one.folder) for one in teachers if _part(one, "data").get("fingerprint") != fingerprint]


def _part(teacher: Teacher, *names: str) -> Mapping[str, Any]:
    """Return a part of the record in a bundle; empty where it is not there, or not what it should be."""
    found: Any = teacher.bundle.facts.provenance
    for name in names:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}
