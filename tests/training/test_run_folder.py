"""The run folder: held by one process, never a mixture of two runs."""

import pytest

from limbeck import storage
from limbeck.errors import LockedError, SettingsError
from limbeck.training.run_folder import opened_run


def test_a_finished_run_is_not_replaced_unasked(tmp_path):
    """Without --overwrite the finished run stands; with it, nothing of the old run is left."""
    with opened_run(tmp_path / "RUN") as run:
        run.metrics.write_text("{}")
        run.bundle.mkdir()
    with pytest.raises(SettingsError, match="give --overwrite"), opened_run(tmp_path / "RUN"):
        pass
    assert run.metrics.exists()
    with opened_run(tmp_path / "RUN", overwrite=True):
        assert not run.metrics.exists()
        assert not run.bundle.exists()


def test_an_unfinished_run_is_cleared(tmp_path):
    """What an interrupted run left does not mix with the next one's files."""
    with opened_run(tmp_path / "RUN") as run:
        run.bundle.mkdir()
    with opened_run(tmp_path / "RUN"):
        assert not run.bundle.exists()


def test_files_of_somebody_else_are_never_removed(tmp_path):
    """A folder with other files is refused, even with --overwrite."""
    (tmp_path / "thesis.docx").write_text("years of work")
    with pytest.raises(SettingsError, match="not a run's"), opened_run(tmp_path, overwrite=True):
        pass
    assert (tmp_path / "thesis.docx").read_text() == "years of work"


def test_two_runs_in_one_folder_are_refused(tmp_path):
    """The second of two runs at the same time is told to wait."""
    with opened_run(tmp_path), pytest.raises(LockedError, match="in use"), opened_run(tmp_path):
        pass


def test_a_folder_with_names_like_a_run_s_is_left_alone(tmp_path):
    """Somebody's own pictures/ or run.json is no run's leftover: it is refused, with --overwrite too."""
    for name in ("pictures", "predictions"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine.png").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(SettingsError, match=r"not a run's \(pictures, predictions\)"):
            opened_run(tmp_path, overwrite=overwrite).__enter__()
    assert (tmp_path / "pictures" / "mine.png").read_text() == "mine"
    assert sorted(item.name for item in tmp_path.iterdir()) == ["pictures", "predictions"]


def test_a_run_that_ends_while_another_waits_at_the_door_is_not_cleared(tmp_path, monkeypatch):
    """Whether the folder is free is asked again under the lock."""
    path = tmp_path / "RUN"
    lock = storage.lock

    def late_lock(folder):
        folder.mkdir()
        (folder / "metrics.json").write_text("{}")
        return lock(folder)

    monkeypatch.setattr(storage, "lock", late_lock)
    with pytest.raises(SettingsError, match="finished run"), opened_run(path):
        pass
    assert (path / "metrics.json").exists()
