"""Checkpoints: whole or absent, checked before they are read, few of them."""

import shutil

import pytest
import torch
from safetensors import SafetensorError

from limbeck.errors import BundleError, StorageError
from limbeck.model import weights
from limbeck.training.checkpoint import Checkpoints, Position, Snapshot


class Heard:
    """A progress that remembers what was said."""

    def __init__(self):
        self.lines = []

    def say(self, line):
        self.lines.append(line)


def snapshot(step, best_epoch=None):
    return Snapshot(
        position=Position(step=step, epoch=step // 10, loss_sum=0.1 * step, best_epoch=best_epoch),
        weights={"w": torch.full((2, 3), float(step))},
        optimizer={"step/w": torch.tensor(float(step)), "exp_avg/w": torch.ones(2, 3)},
    )


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_is_saved_is_read_to_the_bit(tmp_path):
    """Position, weights and optimizer; a sum of fractions keeps every digit."""
    kept = snapshot(7, best_epoch=None)
    Checkpoints(tmp_path, keep=2).save(kept)
    found = Checkpoints(tmp_path, keep=2).newest()
    assert found.position == kept.position
    for part in ("weights", "optimizer"):
        before, after = getattr(kept, part), getattr(found, part)
        assert before.keys() == after.keys()
        assert all(torch.equal(before[name], after[name]) for name in before)


def test_there_is_nothing_to_go_on_with_at_first(tmp_path):
    """No folder, no checkpoint, no error."""
    assert Checkpoints(tmp_path / "none", keep=2).newest() is None


def test_only_the_newest_are_kept(tmp_path):
    """Disk use is bounded, however long the run."""
    kept = Checkpoints(tmp_path, keep=2)
    for step in (1, 2, 3, 40):
        kept.save(snapshot(step))
    assert names(tmp_path) == ["step-00000003", "step-00000040"]


def test_best_weights_stay_while_a_checkpoint_speaks_of_them(tmp_path):
    """A run that goes on from the older checkpoint finds the best epoch that it knows."""
    kept = Checkpoints(tmp_path, keep=2)
    kept.save_best(0, {"w": torch.ones(1)})
    kept.save(snapshot(10, best_epoch=0))
    kept.save_best(1, {"w": torch.zeros(1)})
    kept.save(snapshot(20, best_epoch=1))
    assert names(tmp_path)[:2] == ["best-001", "best-002"]
    kept.save(snapshot(30, best_epoch=1))
    assert names(tmp_path) == ["best-002", "step-00000020", "step-00000030"]
    assert kept.load_best(1)["w"].item() == 0


@pytest.mark.parametrize("name", ["weights.safetensors", "optimizer.safetensors", "state.json", "manifest.json"])
@pytest.mark.parametrize("harm", ["cut", "gone", "flipped"])
def test_a_damaged_checkpoint_is_passed_over(tmp_path, name, harm):
    """The one before it is used, and it is said why."""
    kept = Checkpoints(tmp_path, keep=2)
    for step in (1, 2):
        kept.save(snapshot(step))
    file = tmp_path / "step-00000002" / name
    content = file.read_bytes()
    if harm == "gone":
        file.unlink()
    else:
        file.write_bytes(content[: len(content) // 2] if harm == "cut" else b"\x01" + content[1:])
    heard = Heard()
    assert kept.newest(heard).position.step == 1
    assert "passed over" in heard.lines[0]
    kept.save(snapshot(2))
    assert kept.newest(heard).position.step == 2


def test_without_a_whole_one_the_run_does_not_begin_again_by_itself(tmp_path):
    """Work that is lost is said."""
    kept = Checkpoints(tmp_path, keep=2)
    kept.save(snapshot(1))
    (tmp_path / "step-00000001" / "state.json").unlink()
    with pytest.raises(StorageError, match=r"no checkpoint in .* is whole: begin again with --overwrite"):
        kept.newest(Heard())


def test_half_a_checkpoint_is_none(tmp_path):
    """What a kill left under a temporary name is not looked at, and cleared away by the next save."""
    kept = Checkpoints(tmp_path, keep=2)
    kept.save(snapshot(1))
    shutil.copytree(tmp_path / "step-00000001", tmp_path / ".staged-abc-step-00000002")
    assert kept.newest().position.step == 1
    kept.save(snapshot(3))
    assert names(tmp_path) == ["step-00000001", "step-00000003"]


def test_a_full_disk_leaves_the_last_checkpoint_whole(tmp_path, monkeypatch):
    """The reason is said; what was there is there."""
    kept = Checkpoints(tmp_path, keep=1)
    kept.save(snapshot(1))

    def full(tensors, path, metadata):
        path.write_bytes(b"half")
        # As the library has it: what the system said, in words only.
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    with monkeypatch.context() as patched:
        patched.setattr(weights, "save_file", full)
        with pytest.raises(StorageError, match=r"/step-00000002/.*the disk is full.*go on with --resume") as caught:
            kept.save(snapshot(2))
    assert ".staged" not in str(caught.value)
    assert names(tmp_path) == ["step-00000001"]
    assert kept.newest().position.step == 1


def test_changed_best_weights_are_refused(tmp_path):
    """A run never ends with weights that nobody trained."""
    kept = Checkpoints(tmp_path, keep=1)
    kept.save_best(0, {"w": torch.ones(4)})
    file = tmp_path / "best-001" / "weights.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\x00")
    with pytest.raises(BundleError, match="differs from its SHA-256"):
        kept.load_best(0)
