"""The run folder: held by one process, never a mixture of two runs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limbeck.errors import BundleError, LockedError, SettingsError
from limbeck.inference.predictor import find_bundle
from limbeck.runs import run_folder
from limbeck.runs.past_data import open_past_data
from limbeck.runs.run_folder import opened_run


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
    lock = run_folder.patient_lock

    def late_lock(folder, **patience):
        folder.mkdir()
        (folder / "metrics.json").write_text("{}")
        return lock(folder, **patience)

    monkeypatch.setattr(run_folder, "patient_lock", late_lock)
    with pytest.raises(SettingsError, match="finished run"), opened_run(path):
        pass
    assert (path / "metrics.json").exists()


GONE_ON_WITH = (
    "metrics.jsonl",
    "lr_finder.json",
    "checkpoints",
    "seeds",
    "ablation",
    "texts",
    "budget.json",
    "teacher_head",
)
MADE_ANEW = ("run.json", "settings.toml", "predictions", "pictures", "events", "bundle", "encoder", "report.html")


def contents(run):
    files = (file for file in run.rglob("*") if file.is_file() and file.name != ".lock")
    return {file.relative_to(run).as_posix(): file.read_text() for file in files}


@pytest.mark.slow
@given(
    left=st.sets(st.sampled_from([*GONE_ON_WITH, *MADE_ANEW])),
    is_finished=st.booleans(),
    how=st.sampled_from([{}, {"overwrite": True}, {"resume": True}]),
)
def test_work_is_never_lost_unasked(tmp_path_factory, left, is_finished, how):
    """Without a flag nothing that can be gone on with is removed; with --resume all is there, with --overwrite none."""
    path = tmp_path_factory.mktemp("run")
    (path / ".lock").touch()
    for name in left:
        place = path / name if "." in name else path / name / "part"
        place.parent.mkdir(exist_ok=True)
        place.write_text(name)
    if is_finished:
        (path / "metrics.json").write_text("{}")
    before = contents(path)
    to_lose = left & set(GONE_ON_WITH)
    refuses = (is_finished and "overwrite" not in how) or (bool(to_lose) and not how)
    if refuses:
        with pytest.raises(SettingsError, match=r"--resume|--overwrite"), opened_run(path, **how):
            pass
        assert contents(path) == before
        return
    with opened_run(path, **how):
        found = contents(path)
    kept = {name for name in before if name.split("/")[0] in (*GONE_ON_WITH, "run.json")} if "resume" in how else set()
    assert set(found) == kept


def test_empty_folders_are_no_work(tmp_path):
    """What ended before it had anything to lose is begun again without a flag."""
    with opened_run(tmp_path / "RUN") as run:
        run.checkpoints.mkdir()
        run.texts.mkdir()
    with opened_run(tmp_path / "RUN"):
        assert not run.texts.exists()


@pytest.mark.parametrize("left", ["run.json", "checkpoints/step-00000000/state.json", "texts/part-00000.json"])
def test_an_unfinished_run_says_how_to_go_on(tmp_path, left):
    """Whoever asks for its figures or its model is told that it is not finished, and the flag."""
    (tmp_path / left).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / left).write_text("{}")
    with pytest.raises(SettingsError, match=r"unfinished run: go on with it .* with --resume"):
        open_past_data(tmp_path)
    if left == "run.json":
        with pytest.raises(BundleError, match=r"unfinished run: go on with it .* with --resume"):
            find_bundle(tmp_path)


def test_what_is_no_run_says_so(tmp_path):
    """An empty folder is no unfinished run."""
    with pytest.raises(SettingsError, match="is no finished run"):
        open_past_data(tmp_path)
