"""Files of a store as paths: their names, how they are found and read, what is said when a store says no."""

import gzip
import hashlib
import os
import pickle
from pathlib import Path
from typing import Any

import pyarrow.fs
import pytest
from tests.stores import stand_in_store

from limbeck import remote_files, storage
from limbeck.errors import SettingsError, StorageError, StoreUnreachableError
from limbeck.reading.compression import open_bytes
from limbeck.reading.read import read
from limbeck.remote_files import RemotePath, files_in, files_like, is_remote, matches, path_of


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that stands for s3://bucket."""
    return stand_in_store(tmp_path / "store", monkeypatch)


@pytest.mark.parametrize(
    "name",
    [
        "s3://bucket/a/b.csv.gz",
        "gs://anonymous@bucket/x.parquet",
        "hdfs://host:8020/user/x.jsonl",
        "s3://b/a b#1%20.csv",
    ],
)
def test_a_name_stays_as_it_was_given(name: str) -> None:
    """In messages and plans, as a part of another path, in another process."""
    path = path_of(name)
    assert isinstance(path, RemotePath)
    assert (str(path), str(path.absolute()), os.fspath(path)) == (name, name, name)
    assert str(path.parent / path.name) == name
    assert str(pickle.loads(pickle.dumps(path))) == name  # noqa: S301  # our own bytes
    assert path.suffix == Path(name).suffix


def test_names_of_this_machine_are_paths_of_it(tmp_path: Path) -> None:
    """Also as file://; a folder's name with a colon is no store."""
    assert path_of(tmp_path.as_uri()) == tmp_path
    assert path_of("a:b/c.csv") == Path("a:b/c.csv")
    assert not isinstance(path_of("s3/b.csv"), RemotePath)
    assert str(path_of("hdfs:///user/x")) == "hdfs://default/user/x"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("https://host/a.csv", "names may begin with file://, s3://"),
        ("s3://key:secret@bucket/a.csv", "a password in its name"),
        ("s3://bucket/a.csv?endpoint_override=host", "AWS_ENDPOINT_URL"),
        ("ftp://me:secret@host/a.csv", "copy the file"),
    ],
)
def test_what_a_name_may_not_hold_is_said_without_secrets(name: str, said: str) -> None:
    """Names are written down."""
    with pytest.raises(SettingsError, match=said) as caught:
        path_of(name)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["s3://bucket/out", "s3:/bucket/out.csv", "gs://bucket/x.parquet"])
def test_nothing_is_written_to_a_store_nor_to_a_folder_called_so(name: str, tmp_path: Path) -> None:
    """Path("s3://…") is a folder "s3:" to the system; no command makes one."""
    assert is_remote(Path(name))
    for check in (
        lambda: storage.check_folder(Path(name)),
        lambda: storage.check_place(Path(name), ("", ".csv", ".parquet")),
    ):
        with pytest.raises(SettingsError, match="is in a store: results are written"):
            check()
    with pytest.raises(SettingsError, match="copy it to this machine"):
        read(name)


def test_files_are_found_as_glob_finds_them(store: Path) -> None:
    """By pattern or folder; a star does not mean a leading dot, two stars mean any folders."""
    for name in ("a.csv", "b.txt", "in/c.csv", "in/deep/d.csv", ".hidden.csv"):
        (store / name).parent.mkdir(parents=True, exist_ok=True)
        (store / name).touch()
    for pattern in ("*.csv", "**/*.csv", "in/*", "in/**", "*/c.csv", "?.txt"):
        expected = {path.relative_to(store).as_posix() for path in map(Path, globbed(store, pattern)) if path.is_file()}
        found = {str(path).removeprefix("s3://bucket/") for path in files_like(f"s3://bucket/{pattern}")}
        assert found == expected, pattern
    assert len(files_in(RemotePath("s3://bucket"))) == 4
    with pytest.raises(SettingsError, match="name one bucket"):
        files_like("s3://b*/x.csv")


def globbed(folder: Path, pattern: str) -> list[str]:
    import glob

    return glob.glob(str(folder / pattern), recursive=True)  # noqa: PTH207  # the oracle


def test_any_range_of_bytes_is_that_of_the_file(store: Path) -> None:
    """Buffered, a range at a time, from the end, and unpacked."""
    content = bytes(range(256)) * 50
    (store / "x.bin").write_bytes(content)
    path = path_of("s3://bucket/x.bin")
    with path.open("rb") as file, path.open("rb", buffering=0) as raw:
        for start, count in ((0, 3), (7_000, 4_000), (12_799, 5), (20_000, 5), (100, 1)):
            file.seek(start)
            raw.seek(start)
            assert file.read(count) == raw.read(count) == content[start : start + count]
        assert raw.seek(-4, os.SEEK_END) == len(content) - 4
    (store / "x.csv.gz").write_bytes(gzip.compress(content))
    with open_bytes(path_of("s3://bucket/x.csv.gz")) as unpacked:
        assert unpacked.read() == content
        unpacked.seek(300)
        assert unpacked.read(5) == content[300:305]
    assert (path.is_file(), path.is_dir(), path.parent.is_dir(), path.stat().st_size) == (True, False, True, 12_800)
    assert hashlib.sha256(content).hexdigest() == storage.sha256_of(path)


def test_a_fingerprint_changes_when_the_file_is_written(store: Path) -> None:
    """And is the same as long as it is not."""
    path = path_of("s3://bucket/x.csv")
    (store / "x.csv").write_text("one", "utf-8")
    before = path.fingerprint()  # type: ignore[attr-defined]  # it is of a store
    assert path.fingerprint() == before  # type: ignore[attr-defined]
    (store / "x.csv").write_text("two", "utf-8")
    os.utime(store / "x.csv", ns=(1, 1))
    assert path.fingerprint() != before  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("says", "kind", "said"),
    [
        ("AWS Error NO_SUCH_BUCKET during ListObjectsV2 operation", StorageError, "no such bucket"),
        ("AWS Error ACCESS_DENIED during HeadObject operation: No response body.", StorageError, "set credentials"),
        ("google::cloud::Status(UNAUTHENTICATED: Could not create OAuth2 token)", StorageError, "set credentials"),
        ("AWS Error NETWORK_CONNECTION during GetObject operation: curlCode: 28", StoreUnreachableError, "no answer"),
        ("AWS Error SLOW_DOWN during GetObject operation", StoreUnreachableError, "no answer"),
        ("Unable to load libjvm", StorageError, "HADOOP_HOME"),
        ("something new", StorageError, "something new"),
    ],
)
def test_what_a_store_says_becomes_what_to_do(
    monkeypatch: pytest.MonkeyPatch, says: str, kind: type[StorageError], said: str
) -> None:
    """Only what may pass is called so: that is tried again."""

    def fail(scheme: str, host: str) -> Any:
        raise OSError(says)

    monkeypatch.setattr(remote_files, "system_of", fail)
    with pytest.raises(StorageError, match=said) as caught:
        path_of("s3://bucket/x.csv").stat()
    assert type(caught.value) is kind
    assert "s3://bucket/x.csv" in str(caught.value)


def test_a_file_that_is_not_there_is_said(store: Path) -> None:
    """By whoever asks first."""
    path = path_of("s3://bucket/none.csv")
    assert not path.exists()
    for ask in (path.stat, path.open, path.fingerprint):  # type: ignore[attr-defined]  # it is of a store
        with pytest.raises(StorageError, match=r"s3://bucket/none\.csv: there is no such file"):
            ask()


def test_two_stars_are_any_number_of_folders() -> None:
    """Also none; the file's own name is never one of them."""
    assert matches(["b.csv"], ["**", "*.csv"])
    assert matches(["a", "b", "c.csv"], ["a", "**", "c.csv"])
    assert not matches(["a", "b", "c.csv"], ["a", "*.csv"])


def test_an_endpoint_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the programs of S3 do."""
    asked: list[str] = []

    class System:
        @staticmethod
        def from_uri(uri: str) -> tuple[None, str]:
            asked.append(uri)
            return None, "bucket"

    monkeypatch.setattr(pyarrow.fs, "FileSystem", System)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:9000/")
    monkeypatch.setenv("AWS_REGION", "ap-northeast-2")
    remote_files.system_of.__wrapped__("s3", "bucket")
    remote_files.system_of.__wrapped__("gs", "bucket")
    assert asked == [
        "s3://bucket/?scheme=http&endpoint_override=localhost:9000&region=ap-northeast-2",
        "gs://bucket/",
    ]
