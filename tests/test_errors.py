"""The error tree, its table, and the gathering of faults."""

import pytest

from limbeck import errors
from limbeck.errors import FaultLog, status_of


def all_errors() -> list[type[errors.LimbeckError]]:
    found, waiting = [], [errors.LimbeckError]
    while waiting:
        kind = waiting.pop()
        found.append(kind)
        waiting += kind.__subclasses__()
    return found


@pytest.mark.parametrize("kind", all_errors())
def test_every_error_has_a_status(kind):
    """Each error ends a command with a status of its own kind, never 0; above 125 only for a signal's 128 + number."""
    signals = {errors.Interrupted: 130, errors.Terminated: 143}
    found = status_of(kind("x")).exit_status
    assert found == signals[kind] if kind in signals else 1 <= found <= 125
    assert 400 <= status_of(kind("x")).http_status <= 599


def test_a_subclass_without_a_row_has_its_parents_status():
    """A weights error is a model error to a shell."""
    assert status_of(errors.WeightsError("x")) == status_of(errors.ModelError("x"))


def test_exit_statuses_tell_kinds_apart():
    """No two rows of the table share an exit status."""
    statuses = [row.exit_status for row in errors.STATUSES.values()]
    assert len(set(statuses)) == len(statuses)


def test_faults_are_listed_up_to_twenty_and_counted_in_full():
    """Twenty-five faults: twenty are shown, the rest is counted, nothing is lost silently."""
    log = FaultLog()
    log.extend(f"row {number}" for number in range(25))
    with pytest.raises(errors.DataError, match=r"broken \(25 faults\)") as caught:
        log.raise_as(errors.DataError, what="the file is broken", todo="mend it")
    message = str(caught.value)
    assert message.count("\n  - row") == 20
    assert "… and 5 more" in message
    assert message.endswith("mend it")


def test_no_fault_raises_nothing():
    """An empty log lets the caller go on."""
    log = FaultLog()
    log.raise_as(errors.DataError, what="x", todo="y")
    assert log.count == 0
