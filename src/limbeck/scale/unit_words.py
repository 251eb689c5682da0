"""Unit words: what became of a unit, as JSON that travels between processes and machines.

In: a `UnitOutcome`, or an error that holds for all units. Out: plain values, and from these the same again. It does not
know how they travel.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from limbeck import errors
from limbeck.errors import LimbeckError
from limbeck.scale.part_record import PartRecord, record_of
from limbeck.scale.unit_queue import UnitFault, UnitOutcome


def outcome_words(outcome: UnitOutcome) -> dict[str, Any]:
    """Return what became of a unit: `{"done": record}` or `{"fault": …}`."""
    return {"done": outcome.to_json()} if isinstance(outcome, PartRecord) else {"fault": asdict(outcome)}


def error_words(error: LimbeckError, where: str = "") -> dict[str, str]:
    """Return why no unit can be computed: `{"stopped": kind, "why": …}`.

    Args:
        error: that was raised.
        where: name of the machine; nothing where everybody knows.
    """
    return {"stopped": type(error).__name__, "why": f"on {where}: {error}" if where else str(error)}


def outcome_in(words: Mapping[str, Any]) -> UnitOutcome:
    """Return what `outcome_words` was given.

    Raises:
        LimbeckError: what `error_words` was given: no unit can be computed.
    """
    if "stopped" in words:
        raise error_named(words["stopped"], words["why"])
    return UnitFault(**words["fault"]) if "fault" in words else record_of(words["done"])


def error_named(name: str, why: str) -> LimbeckError:
    """Return an error of a kind by its name; of a kind that is not ours, the base of all."""
    kind = getattr(errors, name, LimbeckError)
    found: LimbeckError = kind(why)
    return found
