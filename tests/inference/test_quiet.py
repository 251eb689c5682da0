"""Moments: what this machine gives while something is measured."""

from limbeck.inference.quiet import look_at_machine


def test_a_moment_has_a_pace_and_a_share() -> None:
    """A few products tell both, whatever else this machine does."""
    moment = look_at_machine()
    assert moment.gflops > 0
    assert 0 < moment.core_share <= 1
