"""What long steps say."""

import io
import re

import pytest
from rich.console import Console

from limbeck import progress
from limbeck.progress import SILENT, Bars, Lines, Named, Steps


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


@pytest.mark.parametrize(
    ("label", "total", "unit"),
    [
        ("epoch 1 of 2", 1000, "rows"),
        ("epoch 10 of 10", 160_000, "rows"),
        ("stretch 10 of 10", 12_345_678, "tokens"),
        ("encoding validation rows", 1_234_567, "tokens"),
    ],
)
@pytest.mark.parametrize("width", [80, 100, 200])
def test_the_time_left_is_seen_on_a_narrow_screen(monkeypatch, label, total, unit, width):
    """Of a long line the rate and the note are cut, never the label, the counts or the time left."""
    monkeypatch.setattr(progress, "QUIET_S", 0.0)
    screen = io.StringIO()
    bars = Bars(Console(file=screen, width=width, force_terminal=True, legacy_windows=False))
    with bars.track(label, total=total, unit=unit) as advance:
        for _ in range(3):
            advance(total // 4, note="loss 1.7711, 12 min left in all")
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())
    last = [line for line in re.split(r"[\r\n]+", plain) if "%" in line][-1]
    assert label in last
    assert f"{total // 4 * 3:,}/{total:,} {unit}" in last
    assert re.search(r"\d:\d\d:\d\d|-:--:--", last)
    assert "loss 1.7711" in last or width < 200


def test_steps_of_one_label_are_told_apart():
    """Two encodings that follow each other say of what they are."""
    said: list[str] = []

    class Labels(progress.Silent):
        def track(self, label, *, total, unit):
            said.append(label)
            return super().track(label, total=total, unit=unit)

    for what in ("train rows", "validation rows"):
        with Named(Labels(), what).track("encoding", total=1, unit="texts") as advance:
            advance(1)
    assert said == ["encoding train rows", "encoding validation rows"]


def test_short_steps_in_a_row_are_one_step(monkeypatch):
    """Three steps of a second each are no silence of three seconds: together they are one, its parts by name."""
    clock_of(monkeypatch, [0.0, *(place * 4.0 for place in range(1, 20))])
    said: list[str] = []
    outer = Lines(said.append)
    with outer.track("Auditing", total=2 * Steps.UNITS, unit="parts") as advance:
        steps = Steps(advance, outer)
        with steps.track("Counting words", total=7, unit="texts") as inner:
            for _ in range(7):
                inner(1)
        with steps.track("Counting tokens", total=0, unit="texts"):
            pass
    assert "Counting words" in said[0]
    assert said[-1].startswith("Auditing: 200 parts in ")
    steps.say("one fact")
    assert said[-1] == "one fact"
