"""What long steps say."""

from limbeck import progress
from limbeck.progress import SILENT, Lines


def clock_of(monkeypatch, moments):
    ticking = iter(moments)
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(ticking))


def test_a_short_step_says_nothing(monkeypatch):
    """Under two seconds there is no line."""
    clock_of(monkeypatch, [0.0, 1.0, 1.5])
    said: list[str] = []
    with Lines(said.append).track("encoding", total=10, unit="texts") as advance:
        advance(10)
    assert said == []


def test_a_long_step_says_rate_and_time_left(monkeypatch):
    """Half of 100 texts after 20 s: 2.5 texts/s, 20 s left; at the end a line with the whole."""
    clock_of(monkeypatch, [0.0, 20.0, 40.0, 40.0])
    said: list[str] = []
    with Lines(said.append).track("encoding", total=100, unit="texts") as advance:
        advance(50)
        advance(50)
    assert said[0] == "encoding: 50/100 texts, 2.5 texts/s, 20 s left"
    assert said[-1] == "encoding: 100 texts in 40.0 s (2.5 texts/s)"


def test_silence_is_silent(capfd):
    """A library call shows nothing unless asked."""
    with SILENT.track("encoding", total=3, unit="texts") as advance:
        advance(3)
    SILENT.say("anything")
    assert capfd.readouterr() == ("", "")
