"""Events for TensorBoard: the journal once more."""

import json
import struct
import sys

import pytest

from limbeck.errors import MissingExtraError
from limbeck.training.journal import Events
from limbeck.training.signals import StopSignal


def scalars(folder):
    """Read a file of events: length, its checksum, a message, its checksum."""
    from tensorboardX.proto.event_pb2 import Event

    (file,) = folder.iterdir()
    content, found, place = file.read_bytes(), {}, 0
    while place < len(content):
        (length,) = struct.unpack_from("<Q", content, place)
        event = Event.FromString(content[place + 12 : place + 12 + length])
        for value in event.summary.value:
            found[value.tag, event.step] = value.simple_value
        place += 12 + length + 4
    return found


@pytest.mark.slow
def test_events_say_what_the_journal_says(make_loop, tmp_path):
    """Each step's loss, rate and gradient; each epoch's table."""
    make_loop(tmp_path / "run", tensorboard=True, checkpoint_every_s=None).run(StopSignal())
    found = scalars(tmp_path / "run" / "events")
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text("utf-8").splitlines()]
    for line in lines:
        what, number = line["what"], line[line["what"]]
        name = "loss" if what == "step" else "validation_loss"
        assert found[f"{what}/{name}", number] == pytest.approx(line[name], rel=1e-6)
    assert len({step for tag, step in found if tag == "step/loss"}) == 12


def test_without_the_library_it_is_said_what_to_install(tmp_path, monkeypatch):
    """An extra that is absent is named."""
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(MissingExtraError, match=r"limbeck\[tensorboard\]"):
        Events(tmp_path / "metrics.jsonl", tmp_path / "events")
