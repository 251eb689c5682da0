"""Writing whole files or none, and manifests."""

import errno
import json
import subprocess
import sys
from contextlib import contextmanager

import pytest

from limbeck import storage
from limbeck.errors import BundleError, SettingsError, StorageError


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


@pytest.mark.parametrize("code", ["EINVAL", "ENOTSUP"])
def test_a_folder_that_cannot_be_synced_is_written_all_the_same(tmp_path, monkeypatch, code):
    """Some network file systems refuse fsync of a folder: the file is whole there, and that is enough."""
    real = storage.os.fsync

    def fsync(handle):
        if storage.os.path.isdir(f"/dev/fd/{handle}"):
            raise OSError(getattr(errno, code), "no fsync of folders")
        real(handle)

    monkeypatch.setattr(storage.os, "fsync", fsync)
    storage.write_text(tmp_path / "a.txt", "written")
    assert (tmp_path / "a.txt").read_text() == "written"


def test_a_failed_sync_of_a_file_is_a_failed_write(tmp_path, monkeypatch):
    """What did not reach the disk is never renamed over what is there."""
    storage.write_text(tmp_path / "a.txt", "old")

    def fsync(_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(storage.os, "fsync", fsync)
    with pytest.raises(StorageError, match="disk or the network failed"):
        storage.write_text(tmp_path / "a.txt", "new")
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_a_limit_on_the_size_of_a_file_is_named(tmp_path):
    """EFBIG tells of ulimit -f, and nothing half written stays."""
    script = (
        "import resource, sys; from pathlib import Path; from limbeck import storage\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))\n"
        "storage.write_bytes(Path(sys.argv[1]), bytes(4096))\n"
    )
    ended = subprocess.run([sys.executable, "-c", script, tmp_path / "new" / "a.bin"], check=False, capture_output=True)
    assert b"StorageError" in ended.stderr
    assert b"ulimit -f" in ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["link", "link/x", "link/x/y"])
@pytest.mark.parametrize("write", ["file", "folder"])
def test_a_link_to_nothing_is_named(tmp_path, place, write):
    """A broken link on the way to an output is named as what it is, wherever on the way it stands."""
    (tmp_path / "link").symlink_to(tmp_path / "gone" / "disk")
    if place == "link":
        (tmp_path / "gone").write_text("a file where the target's folder should be")
    with pytest.raises(StorageError, match=r"is a link to .*gone/disk, which does not exist"):
        _write(write, tmp_path / place)
    assert (tmp_path / "link").is_symlink()


def test_a_link_stays_a_link(tmp_path):
    """Writing to a link writes what it leads to: an output that somebody linked elsewhere stays there."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "out.csv").symlink_to(tmp_path / "disk" / "out.csv")
    storage.write_text(tmp_path / "out.csv", "written")
    assert (tmp_path / "out.csv").is_symlink()
    assert (tmp_path / "disk" / "out.csv").read_text() == "written"


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o002])
def test_files_have_the_rights_that_the_umask_grants(tmp_path, umask):
    """A library that writes with mode 0600 (safetensors does) shuts no colleague out: the umask decides."""
    before = storage.os.umask(umask)
    try:
        with storage.staged_file(tmp_path / "one") as staged:
            _write_privately(staged)
        with storage.staged_folder(tmp_path / "folder") as staged:
            (staged / "sub").mkdir()
            _write_privately(staged / "sub" / "two")
    finally:
        storage.os.umask(before)
    modes = [(tmp_path / name).stat().st_mode & 0o777 for name in ("one", "folder/sub/two", "folder", "folder/sub")]
    assert modes == [0o666 & ~umask, 0o666 & ~umask, 0o777 & ~umask, 0o777 & ~umask]


@pytest.mark.parametrize("write", ["file", "folder"])
def test_a_failed_write_leaves_no_folder_behind(tmp_path, monkeypatch, write):
    """Folders made on the way to an output that cannot be written are removed again; those that were there stay."""
    (tmp_path / "mine").mkdir()

    def fsync(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(storage.os, "fsync", fsync)
    with pytest.raises(StorageError, match="the disk is full"):
        _write(write, tmp_path / "mine" / "new" / "newer" / "out")
    assert list((tmp_path / "mine").iterdir()) == []


def _write(kind, path):
    if kind == "file":
        storage.write_text(path, "a")
        return
    with storage.staged_folder(path) as staged:
        (staged / "one").write_text("1")


def _write_privately(path):
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)


def test_a_place_that_cannot_be_written_is_refused_before_the_work(tmp_path):
    """An unknown suffix, a folder for a file, what is read itself, and a file for a folder: each has its own words."""
    (tmp_path / "data.csv").write_text("text,label\n")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("precious")
    for name, said in {
        "out.xlsx": "end its name with .csv, or give a folder",
        "folder.csv": "this is a folder",
        "data.csv": "is what is read",
        "full": "exists already",
        "data.csv/out.csv": "a file stands where a folder was expected",
        "data.csv/out": "a file stands where a folder was expected",
    }.items():
        with pytest.raises((SettingsError, StorageError), match=said):
            storage.check_place(tmp_path / name, (".csv", ""), source=tmp_path / "data.csv")
    assert storage.check_place(tmp_path / "new" / "OUT.CSV", (".csv", "")) == ".csv"
    assert storage.check_place(tmp_path / "new" / "out", (".csv", "")) == ""
    assert sorted(item.name for item in tmp_path.iterdir()) == ["data.csv", "folder.csv", "full"]


def test_a_folder_may_have_any_name(tmp_path):
    """What is always a folder has no suffix to be judged by."""
    storage.check_folder(tmp_path / "run.v2")
    (tmp_path / "run.v2").mkdir()
    storage.check_folder(tmp_path / "run.v2")
    (tmp_path / "run.v2" / "mine").write_text("precious")
    with pytest.raises(StorageError, match="exists already"):
        storage.check_folder(tmp_path / "run.v2")
    storage.check_folder(tmp_path / "run.v2", new=False)
    with pytest.raises(StorageError, match="exists already"):
        storage.check_folder(tmp_path / "run.v2" / "mine", new=False)
