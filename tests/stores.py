"""A store for tests: Arrow's file system of a folder of this machine stands for it."""

from pathlib import Path

import pyarrow.fs
import pytest

from limbeck import remote_files


def stand_in_store(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let a folder stand for all stores; return the one that stands for s3://bucket."""
    (folder / "bucket").mkdir(parents=True)
    system = pyarrow.fs.SubTreeFileSystem(str(folder), pyarrow.fs.LocalFileSystem())
    monkeypatch.setattr(remote_files, "system_of", lambda scheme, host: (system, host))
    return folder / "bucket"
