"""A folder is held by one process at a time, and is free again when that ends, however it ends."""

import errno
import shutil
import subprocess
import sys

import pytest

from limbeck import folder_lock, storage
from limbeck.errors import LockedError, StorageError
from limbeck.folder_lock import lock


def test_a_second_process_is_refused_and_a_killed_one_lets_go(tmp_path):
    """While one process holds a folder another is refused; after kill -9 the folder is free at once."""
    code = (
        "import sys, time; from pathlib import Path; from limbeck.folder_lock import lock\n"
        "with lock(Path(sys.argv[1])):\n  print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LockedError, match="in use by another limbeck process"), lock(tmp_path):
            pass
        holder.kill()
        holder.wait()
        with lock(tmp_path):
            held = True
    assert held


def test_a_lock_in_vain_leaves_no_folder_behind(tmp_path):
    """A command that fails before it wrote anything leaves no empty run folder; one that wrote leaves its work."""
    with pytest.raises(RuntimeError), lock(tmp_path / "a" / "run"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(RuntimeError), lock(tmp_path / "b"):
        (tmp_path / "b" / "work").write_text("hours of it")
        raise RuntimeError
    assert (tmp_path / "b" / "work").read_text() == "hours of it"


def test_a_folder_that_is_removed_meanwhile_hides_no_error(tmp_path):
    """What is told is why the command failed, not that there is nothing left to tidy up."""
    with pytest.raises(RuntimeError, match="the true reason"), lock(tmp_path / "run"):
        shutil.rmtree(tmp_path / "run")
        raise RuntimeError("the true reason")


def test_a_lock_is_never_held_on_a_file_that_is_gone(tmp_path, monkeypatch):
    """Whoever locked a file that its last holder removed takes the new one: no two processes hold a folder."""
    real = folder_lock._hold
    taken = []

    def slowly(handle, folder):
        real(handle, folder)
        if not taken:
            (folder / storage.LOCK_NAME).unlink()
        taken.append(handle)

    monkeypatch.setattr(folder_lock, "_hold", slowly)
    with lock(tmp_path):
        assert len(taken) == 2
        assert (tmp_path / storage.LOCK_NAME).exists()


@pytest.mark.parametrize("code", ["ENOLCK", "EOPNOTSUPP", "ENOSYS", "EINVAL"])
def test_a_file_system_without_locks_is_said(tmp_path, monkeypatch, code):
    """A lock that the file system cannot give is no traceback, no claim that somebody holds it, and leaves nothing."""
    import fcntl

    def refuse(*_):
        raise OSError(getattr(errno, code), "no locks here")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(StorageError, match=r"has no locks .* choose a folder on another file system") as caught:
        lock(tmp_path / "run").__enter__()
    assert not isinstance(caught.value, LockedError)
