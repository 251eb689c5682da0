"""Locks, flushes, renames and links as Linux, macOS and Windows want them; stand-ins for the systems not at hand."""

import errno
import os
import platform
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from tests.windows_files import Msvcrt, pretend_windows, windows_error

import limbeck
from limbeck import os_files, storage
from limbeck.errors import LockedError, StorageError
from limbeck.folder_lock import lock


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Msvcrt:
    """Windows's rules, and its module of locks."""
    return pretend_windows(monkeypatch)


@pytest.fixture(params=["here", "Windows"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """This system as it is, and Windows."""
    if request.param == "Windows":
        pretend_windows(monkeypatch)
    return request.param


def test_files_and_folders_are_written_whole(system: str, tmp_path: Path) -> None:
    """New ones, over an old file, and over an empty folder; nothing staged is left."""
    for content in ("old", "new"):
        storage.write_text(tmp_path / "deep" / "a.txt", content)
        assert (tmp_path / "deep" / "a.txt").read_text() == content
    (tmp_path / "empty").mkdir()
    for place in ("empty", "fresh"):
        with storage.staged_folder(tmp_path / place) as staged:
            (staged / "below").mkdir()
            (staged / "below" / "one").write_text("1")
        assert (tmp_path / place / "below" / "one").read_text() == "1"
    assert sorted(path.name for path in tmp_path.rglob("*")) == [
        "a.txt", "below", "below", "deep", "empty", "fresh", "one", "one",
    ]  # fmt: skip


def test_a_folder_is_held_by_one(system: str, tmp_path: Path) -> None:
    """A second holder is refused, and can have it afterwards."""
    with (
        lock(tmp_path / "run"),
        pytest.raises(LockedError, match="in use by another limbeck process"),
        lock(tmp_path / "run"),
    ):
        pass
    with lock(tmp_path / "run"):
        assert (tmp_path / "run" / storage.LOCK_NAME).exists()


def test_a_holder_that_did_nothing_leaves_nothing(system: str, tmp_path: Path) -> None:
    """The folder that was made for it goes, its lock with it, although Windows removes no open file."""
    with pytest.raises(RuntimeError), lock(tmp_path / "deep" / "run"):
        raise RuntimeError
    assert not (tmp_path / "deep").exists()


def test_a_lock_that_another_took_meanwhile_stays(windows: Msvcrt, tmp_path: Path) -> None:
    """Windows closes the file before it removes it: whoever opens it in that moment keeps it."""
    mine = (tmp_path / "lock").open("a")
    with (tmp_path / "lock").open("a"):
        os_files.remove_held(mine, tmp_path / "lock")
        assert (tmp_path / "lock").exists()


@pytest.mark.parametrize(("code", "held"), [(errno.EACCES, True), (errno.EDEADLK, True), (errno.EINVAL, False)])
def test_what_windows_says_of_locks(windows: Msvcrt, tmp_path: Path, code: int, held: bool) -> None:
    """Somebody holds it, or the file system has no locks: the one is not taken for the other."""
    windows.refuses = code
    with pytest.raises(StorageError) as caught, lock(tmp_path / "run"):
        pass
    assert isinstance(caught.value, LockedError) == held


@pytest.mark.parametrize(("refusals", "is_written"), [(3, True), (1_000_000, False)])
def test_a_scanner_is_waited_for(
    windows: Msvcrt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusals: int, is_written: bool
) -> None:
    """Windows refuses to replace a file that a program has open; for a while it is tried again, then said."""
    honest, left = os.replace, [refusals]
    passed = iter(range(0, 10**9, 1))
    monkeypatch.setattr(os_files.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(os_files.time, "monotonic", lambda: next(passed) / 10)

    def replace(source: Path, target: Path) -> None:
        left[0] -= 1
        if left[0] >= 0:
            raise windows_error(errno.EACCES, 32, target)
        honest(source, target)

    monkeypatch.setattr(os, "replace", replace)
    if is_written:
        storage.write_text(tmp_path / "a.txt", "new")
        assert (tmp_path / "a.txt").read_text() == "new"
        return
    with pytest.raises(StorageError, match="another program has it open: close that program"):
        storage.write_text(tmp_path / "a.txt", "new")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("refuses", [None, errno.ENOTSUP, errno.EINVAL, errno.ENOTTY, errno.EIO])
def test_macos_empties_the_disks_own_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refuses: int | None
) -> None:
    """F_FULLFSYNC, which goes further than fsync there; fsync where it cannot be had; a broken disk is said."""
    asked: list[str] = []

    class Fcntl(ModuleType):
        F_FULLFSYNC = 51

        @staticmethod
        def fcntl(descriptor: int, command: int) -> int:
            asked.append(f"fcntl {command}")
            if refuses:
                raise OSError(refuses, "refused")
            return 0

    honest = os.fsync
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setitem(sys.modules, "fcntl", Fcntl("fcntl"))
    monkeypatch.setattr(os, "fsync", lambda descriptor: (asked.append("fsync"), honest(descriptor))[1])
    (tmp_path / "a").write_text("a")
    if refuses == errno.EIO:
        with pytest.raises(OSError, match="refused"):
            os_files.flush_path(tmp_path / "a")
        return
    os_files.flush_path(tmp_path / "a")
    assert asked == ["fcntl 51", "fsync"][: 2 if refuses else 1]


def test_other_systems_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file and a folder, each once."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    os_files.flush_path(tmp_path)
    (tmp_path / "a").write_text("a")
    os_files.flush_path(tmp_path / "a")
    assert len(synced) == 2


@pytest.mark.parametrize("hard_links", [True, False])
def test_windows_without_links_has_copies(
    windows: Msvcrt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hard_links: bool
) -> None:
    """A link needs a privilege there: another name of the same file does, or a copy where that cannot be either."""

    def refuse(source: Path, place: Path) -> None:
        raise windows_error(errno.EXDEV, 17, place)

    if not hard_links:
        monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "source").write_text("content")
    os_files.link(tmp_path / "source", tmp_path / "place")
    assert (tmp_path / "place").read_text() == "content"
    assert (tmp_path / "source").samefile(tmp_path / "place") == hard_links


def test_a_link_that_cannot_be_made_elsewhere_is_an_error(tmp_path: Path) -> None:
    """On a system with links nothing is copied in silence."""
    (tmp_path / "place").touch()
    with pytest.raises(FileExistsError):
        os_files.link(tmp_path / "source", tmp_path / "place")


@pytest.mark.slow
def test_no_module_of_one_system_is_needed_to_import() -> None:
    """Neither `import limbeck` nor any module of it asks for fcntl, resource or another module that Windows lacks."""
    absent = ("fcntl", "resource", "termios", "pwd", "grp", "pty", "tty", "syslog", "curses", "readline")
    root = Path(limbeck.__file__).parent
    names = [
        ".".join(("limbeck", *path.relative_to(root).with_suffix("").parts))
        for path in sorted(root.rglob("*.py"))
        if path.name not in ("__init__.py", "__main__.py")
    ]
    program = (
        # Libraries of others are asked first: some know Windows by its name alone, and look no further.
        "import sys, importlib, torch, numpy, pyarrow, rich.console, scipy.optimize, tokenizers, typer\n"
        f"sys.modules.update(dict.fromkeys({absent!r}))\n"
        f"for name in {[name for name in names if not name.startswith('limbeck.classifier')]!r}:\n"
        "    try: importlib.import_module(name)\n"
        "    except ImportError as error: assert error.name not in sys.argv, (name, error)\n"
        "    except limbeck.errors.MissingExtraError: pass\n"
    )
    subprocess.run([sys.executable, "-c", "import limbeck\n" + program, *absent], check=True, capture_output=True)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("method", ["probe", "finetune"])
def test_reading_training_and_predicting_keep_windowss_rules(
    windows: Msvcrt, tiny_folder: Path, tmp_path: Path, method: str
) -> None:
    """A file is read, a model trained, with checkpoints where it has any, loaded again, and asked."""
    moods = (("fine", "joy"), ("sad", "sadness"))
    rows = [f"i feel {'so ' * (place % 30)}{moods[place % 2][0]},{moods[place % 2][1]}" for place in range(60)]
    (tmp_path / "rows.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    options = {"folds": 2} if method == "probe" else {"epochs": 1}
    limbeck.train(tmp_path / "rows.csv", tmp_path / "RUN", method=method, encoder=str(tiny_folder), **options)
    answered = limbeck.load(tmp_path / "RUN").predict(["i feel fine", "i feel sad"])
    assert len(answered) == 2


def test_a_child_without_its_parent_ends() -> None:
    """One whose parent died before it could ask the system to be told; others go on, and Ctrl-C is not theirs."""
    program = (
        "import os, signal, sys; from limbeck.os_files import end_with_parent; end_with_parent(int(sys.argv[1])); "
        "os.kill(os.getpid(), signal.SIGINT); print('here')"
    )

    def said(parent: int) -> bytes:
        command = [sys.executable, "-c", program, str(parent)]
        return subprocess.run(command, capture_output=True, check=True).stdout

    assert (said(os.getpid()), said(1)) == (b"here\n", b"")


@pytest.mark.skipif(sys.platform == "win32", reason="limits of Unix")
@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "have", "is_raised"),
    [
        (1024, 4096, 500, 500, False),
        (1024, 4096, 3000, 3000, True),
        (1024, 4096, 9000, 4096, True),
        (256, -1, 9000, 9000, True),
        (-1, -1, 9000, 9000, False),
    ],
)
def test_open_files_as_far_as_the_system_lets_us(
    soft: int, hard: int, wanted: int, have: int, is_raised: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit is raised where it is too low, to what is wanted or may be; -1 is none (RLIM_INFINITY)."""
    import resource

    told: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda which: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda which, limits: told.append(limits))
    monkeypatch.setattr(resource, "RLIM_INFINITY", -1)
    assert os_files.allow_open_files(wanted) == have
    assert told == ([(have, hard)] if is_raised else [])


@pytest.mark.skipif(sys.platform == "win32", reason="limits of Unix")
def test_open_files_that_are_refused_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a second limit on macOS, which it does not tell."""
    import resource

    def refuse(which: int, limits: tuple[int, int]) -> None:
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda which: (256, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert os_files.allow_open_files(100_000) == 256
