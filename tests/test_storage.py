"""Writing whole files or none, manifests and locks."""

import errno
import json
import subprocess
import sys
from contextlib import contextmanager

import pytest

from limbeck import storage
from limbeck.errors import BundleError, LockedError, StorageError


def test_a_failed_write_leaves_the_old_file(tmp_path):
    """When filling the new file fails, the old bytes stand and no staged file is left."""
    target = tmp_path / "figures.json"
    storage.write_text(target, "old")
    with pytest.raises(RuntimeError), storage.staged_file(target) as staged:
        staged.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["figures.json"]


def test_a_full_disk_is_said_and_leaves_the_old_file(tmp_path):
    """ENOSPC becomes a StorageError that says to free space; the old file stands."""
    target = tmp_path / "figures.json"
    storage.write_text(target, "old")
    with pytest.raises(StorageError, match="disk is full: free some space"), storage.staged_file(target) as staged:
        staged.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert target.read_text() == "old"


def test_a_staged_folder_appears_whole_or_not_at_all(tmp_path):
    """A folder whose making fails is not there afterwards; one that succeeds has all of its files."""
    with pytest.raises(RuntimeError), storage.staged_folder(tmp_path / "bundle") as staged:
        (staged / "one").write_text("1")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with storage.staged_folder(tmp_path / "bundle") as staged:
        (staged / "one").write_text("1")
    assert (tmp_path / "bundle" / "one").read_text() == "1"


def test_a_staged_folder_never_replaces_what_is_there(tmp_path):
    """Writing a folder over one with files is refused with a way out."""
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "mine").write_text("precious")
    taken = storage.staged_folder(tmp_path / "bundle")
    with pytest.raises(StorageError, match="exists already; choose another"), taken:
        pass
    assert (tmp_path / "bundle" / "mine").read_text() == "precious"


def test_json_keeps_hangul_and_refuses_nan(tmp_path):
    """JSON files hold Hangul as it is, and never a NaN that other parsers refuse."""
    storage.write_json(tmp_path / "a.json", {"이름": "기쁨"})
    assert "기쁨" in (tmp_path / "a.json").read_text("utf-8")
    with pytest.raises(ValueError, match="not JSON compliant"):
        storage.write_json(tmp_path / "b.json", {"loss": float("nan")})
    assert not (tmp_path / "b.json").exists()


@pytest.fixture
def sealed(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "weights").write_bytes(bytes(range(256)))
    (tmp_path / "sub" / "names").write_text("joy")
    storage.write_manifest(tmp_path)
    return tmp_path


def test_an_untouched_folder_passes_its_manifest(sealed):
    """A folder is accepted as it was written."""
    storage.check_manifest(sealed)
    assert set(json.loads((sealed / "manifest.json").read_text())["files"]) == {"weights", "sub/names"}


@pytest.mark.parametrize("bit", [0, 777, 2047])
def test_a_flipped_bit_is_found(sealed, bit):
    """One bit anywhere in a file makes the folder refused by that file's name."""
    content = bytearray((sealed / "weights").read_bytes())
    content[bit // 8] ^= 1 << (bit % 8)
    (sealed / "weights").write_bytes(bytes(content))
    with pytest.raises(BundleError, match="weights differs from its SHA-256"):
        storage.check_manifest(sealed)


class Killed(BaseException):
    """Stands for a process that ends here."""


@pytest.mark.parametrize("writes", [0, 1, 2, 3])
def test_a_listed_file_is_replaced_whole_whenever_it_is_killed(sealed, monkeypatch, writes):
    """Ended before any of its three writes, the folder passes its manifest with the old bytes or the new ones."""
    left = writes
    whole = storage.staged_file

    @contextmanager
    def counted(path):
        nonlocal left
        if not left:
            raise Killed
        left -= 1
        with whole(path) as staged:
            yield staged

    with monkeypatch.context() as patched:
        patched.setattr(storage, "staged_file", counted)
        try:
            storage.replace_listed(sealed, "sub/names", b"love")
        except Killed:
            assert writes < 3
    storage.check_manifest(sealed)
    assert (sealed / "sub" / "names").read_text() == ("joy" if writes < 2 else "love")
    storage.replace_listed(sealed, "sub/names", b"grief")
    assert json.loads((sealed / "manifest.json").read_text())["files"]["sub/names"].keys() == {"sha256", "bytes"}


def test_a_changed_folder_is_not_written_to(sealed):
    """Replacing a file does not make a damaged folder pass."""
    (sealed / "weights").write_bytes(b"other")
    with pytest.raises(BundleError, match="weights differs"):
        storage.replace_listed(sealed, "sub/names", b"love")


def test_missing_and_added_files_are_found(sealed):
    """A file taken away or put in makes the folder refused by that file's name."""
    (sealed / "extra").write_text("x")
    with pytest.raises(BundleError, match="extra is not in the manifest"):
        storage.check_manifest(sealed)
    (sealed / "extra").unlink()
    (sealed / "sub" / "names").unlink()
    with pytest.raises(BundleError, match=r"names is missing"):
        storage.check_manifest(sealed)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"files": 3}', '{"files": {"weights": {}}}'])
def test_a_damaged_manifest_is_found(sealed, content):
    """A manifest that is not what limbeck writes is called damaged, not trusted."""
    (sealed / "manifest.json").write_text(content)
    with pytest.raises(BundleError, match=r"manifest\.json is damaged"):
        storage.check_manifest(sealed)


def test_a_second_process_is_refused_and_a_killed_one_lets_go(tmp_path):
    """While one process holds a folder another is refused; after kill -9 the folder is free at once."""
    code = (
        "import sys, time; from pathlib import Path; from limbeck.storage import lock\n"
        "with lock(Path(sys.argv[1])):\n  print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(LockedError, match="in use by another limbeck process"), storage.lock(tmp_path):
            pass
        holder.kill()
        holder.wait()
        with storage.lock(tmp_path):
            held = True
    assert held
