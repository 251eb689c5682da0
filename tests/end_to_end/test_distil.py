"""Distillation as a whole command: what is left behind, what is shown, what can be resumed."""

import json
import shutil

import numpy as np
import pytest
import torch
from tests.threads import on_one_thread

from limbeck import load, read
from limbeck.data.write import write
from limbeck.errors import DataError, SettingsError
from limbeck.evaluation.prediction_files import read_predictions
from limbeck.experiments import ablation
from limbeck.features.cache import FeatureCache
from limbeck.methods import teachers as teachers_module
from limbeck.methods.distil import Curriculum, distil
from limbeck.methods.distil_settings import Distillation, DistillationSettings
from limbeck.methods.finetune import finetune
from limbeck.methods.teachers import ask_teachers, load_teachers
from limbeck.methods.trainings import Finetuning
from limbeck.model.bundle import load_bundle
from limbeck.runs.past_data import open_past_data, read_data_of
from limbeck.settings import FeatureSettings, FinetuneSettings, SplitSettings

pytestmark = pytest.mark.slow

QUICK = ("--layers", "1", "--epochs", "2", "--batch-size", "32", "--precision", "float32")


@pytest.fixture(scope="module")
def taught(encoder_folder, finished, tmp_path_factory):
    """A folder with a data set and two fine-tuned teachers, made once."""
    place = tmp_path_factory.mktemp("taught")
    shutil.copytree(finished / "weather", place / "weather")
    with on_one_thread():
        for seed in (0, 1):
            settings = Finetuning(
                features=FeatureSettings(encoder=str(encoder_folder), pooling="cls"),
                finetune=FinetuneSettings(epochs=6, batch_rows=16, learning_rate=3e-3, seed=seed, precision="float32"),
            )
            finetune(read(place / "weather"), place / f"teacher-{seed}", settings)
    return place


def settings_of(**changes):
    return Distillation(
        distil=DistillationSettings(**{"layers": 1, "epochs": 2, "batch_rows": 32, "precision": "float32", **changes})
    )


def curriculum_of(taught, seeds=(0,), unlabelled=()):
    return Curriculum(
        teachers=[taught / f"teacher-{seed}" for seed in seeds],
        dataset=read(taught / "weather"),
        unlabelled=unlabelled,
    )


def weights_of(folder):
    return {name: values.clone() for name, values in load_bundle(folder).network().hugging_face_state().items()}


def test_a_student_is_left_behind_and_compared(limbeck, taught, tmp_path):
    """The figures that were promised, a bundle that answers, and a table on screen."""
    out = tmp_path / "RUN"
    ended = limbeck(
        "distil",
        taught / "teacher-0",
        taught / "weather",
        "--out",
        out,
        *QUICK,
        "--prune-vocabulary",
        "--cache-dir",
        tmp_path,
    )
    assert ended.status == 0, ended.err
    assert "by counting" in ended.err
    assert "keeps" in ended.out
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["method"] == "distil"
    assert metrics["student"]["parameters"] < metrics["teacher"]["parameters"]
    assert metrics["student"]["layers"] == 1
    assert 0 <= metrics["student"]["validation"]["accuracy"] <= 1
    assert metrics["student"]["validation"] == metrics["validation"]
    assert metrics["teacher"]["validation"]["accuracy"] > 0.5
    assert metrics["speedup"] > 0
    assert metrics["speed"]["slow_engines"] == ["torch float32 cpu"]
    assert metrics["speed"]["fast_engine"] == "torch float32 cpu"
    network = load_bundle(out / "bundle").network()
    assert sum(weight.numel() for weight in network.parameters()) == metrics["student"]["parameters"]
    assert load(out).predict(["i feel so fine"]).predicted_names[0] in ("joy", "sadness", "슬픔")


def test_rare_words_are_left_out_and_that_is_said(limbeck, taught, tmp_path):
    """Fewer tokens than with every used one, the share of the text that they were, and a bundle that answers."""
    words = ("distil", taught / "teacher-0", taught / "weather", *QUICK, "--cache-dir", tmp_path, "--prune-vocabulary")
    assert limbeck(*words, "--out", tmp_path / "all").status == 0
    ended = limbeck(*words, "--min-token-uses", "1000", "--out", tmp_path / "few")
    assert ended.status == 0, ended.err
    assert "spelt in smaller pieces" in ended.err
    every, few = (json.loads((tmp_path / name / "metrics.json").read_text())["student"] for name in ("all", "few"))
    assert few["vocabulary"] < every["vocabulary"]
    assert load(tmp_path / "few").predict(["i feel so fine"]).predicted_names[0] in ("joy", "sadness", "슬픔")


def test_a_student_opens_in_transformers(limbeck, taught, tmp_path):
    """A pruned, shallower student is a Hugging Face model like any other."""
    from transformers import pipeline

    out = tmp_path / "RUN"
    distil(curriculum_of(taught), out, settings_of(prune_vocabulary=True), cache=FeatureCache(tmp_path / "cache"))
    texts = ["i feel so fine today", "it is rain", "unknown words"]
    found = load(out, precision="float32").predict(texts).probabilities
    asked = pipeline("text-classification", model=str(out / "bundle"), top_k=None)(texts)
    names = load(out).label_names
    peers = np.array([[{one["label"]: one["score"] for one in row}[name] for name in names] for row in asked])
    np.testing.assert_allclose(found, peers, atol=1e-5)


def test_the_teacher_is_asked_once(taught, tmp_path, monkeypatch):
    """A second student of the same texts takes the answers from the cache."""
    cache = FeatureCache(tmp_path / "cache")
    distil(curriculum_of(taught), tmp_path / "one", settings_of(), cache=cache)
    computed = []
    honest = teachers_module.extract_features

    def watched(*args, **named):
        found = honest(*args, **named)
        computed.append(found.computed)
        return found

    monkeypatch.setattr(teachers_module, "extract_features", watched)
    distil(curriculum_of(taught), tmp_path / "two", settings_of(teacher_weight=0.5), cache=cache)
    assert computed == [0]


def test_the_same_settings_give_the_same_bits(taught, tmp_path):
    """Whatever is in the cache."""
    runs = [
        distil(curriculum_of(taught), tmp_path / f"{n}", settings_of(), cache=FeatureCache(tmp_path / f"cache-{n}"))
        for n in range(2)
    ]
    one, other = (weights_of(run.folder.bundle) for run in runs)
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_an_ensemble_is_the_mean_of_its_probabilities(taught, tmp_path):
    """Two teachers: what they say is averaged, and that is what the student is compared with."""
    texts = ["i feel so fine", "it is very sad", "today"]
    cache = FeatureCache(tmp_path / "cache")
    both = load_teachers([taught / "teacher-0", taught / "teacher-1"], precision="float32")
    found = ask_teachers(both, texts, temperature=1.0, max_tokens=24, cache=cache)
    expected = np.mean(
        [load(taught / f"teacher-{seed}", precision="float32").predict(texts).probabilities for seed in (0, 1)], axis=0
    )
    np.testing.assert_allclose(found.probabilities_NC, expected, atol=1e-6)
    np.testing.assert_allclose(found.softened_NC.numpy(), expected, atol=1e-6)
    run = distil(curriculum_of(taught, seeds=(0, 1)), tmp_path / "RUN", settings_of(), cache=cache)
    assert run.metrics["teacher"]["parameters"] == sum(teacher.parameters for teacher in both)


def test_unlabelled_texts_count_by_the_teacher_alone(taught, tmp_path):
    """They change the student where the teacher counts, and not at all where only labels do."""
    texts = [f"{word} today {word}" for word in ("fine", "sad", "rain", "sun")] * 16
    cache = FeatureCache(tmp_path / "cache")
    with_texts = distil(curriculum_of(taught, unlabelled=texts), tmp_path / "with", settings_of(), cache=cache)
    assert with_texts.metrics["steps"] == 2 * -(-(240 + 64) // 32)
    record = json.loads(with_texts.folder.record.read_text())
    assert record["data"]["unlabelled"]["rows"] == 64


def test_validation_texts_are_not_learnt_from(taught, tmp_path):
    """An unlabelled text that the student is judged by is left out, and that is said."""
    judged = read(taught / "weather").split("validation").texts
    said = []

    class Told:
        def track(self, label, *, total, unit):
            from limbeck.progress import SILENT

            return SILENT.track(label, total=total, unit=unit)

        def say(self, line):
            said.append(line)

    distil(
        curriculum_of(taught, unlabelled=judged),
        tmp_path / "RUN",
        settings_of(),
        cache=FeatureCache(tmp_path / "c"),
        progress=Told(),
    )
    assert any("left out" in line for line in said)


def test_a_finished_run_is_not_written_over(limbeck, taught, tmp_path):
    """And an unfinished one is gone on with, to the same bits, when the settings are the same."""
    out = tmp_path / "RUN"
    words = ("distil", taught / "teacher-0", taught / "weather", "--out", out, *QUICK, "--cache-dir", tmp_path)
    assert limbeck(*words).status == 0
    again = limbeck(*words)
    assert again.status == 2
    assert "--overwrite" in again.err
    shutil.copy(out / "run.json", tmp_path / "run.json")
    (out / "metrics.json").unlink()
    before = weights_of(out / "bundle")
    other = limbeck(*words, "--resume", "--temperature", "3")
    assert other.status == 2
    assert "temperature" in other.err
    resumed = limbeck(*words, "--resume")
    assert resumed.status == 0, resumed.err
    after = weights_of(out / "bundle")
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--layers", "3"), "give 1 to 2"),
        (("--temperature", "0"), "above 0"),
        (("--teacher-weight", "2"), "from 0 to 1"),
        (("--take", "0,x"), "separated by commas"),
        (("--start", "middle"), "'teacher', 'nothing'"),
        (("--width", "5"), "multiple of 4"),
        (("--ensemble", "nowhere"), "nowhere does not exist"),
        (("--prune-vocabulary", "--min-token-uses", "0"), "give 1 or more"),
        (("--min-token-uses", "2"), "give --prune-vocabulary too"),
        (("--ablation", "--teacher-weight", "0"), "have none"),
    ],
)
def test_wrong_flags_are_explained(limbeck, taught, tmp_path, flags, says):
    """One line that says what would be right; no traceback, no folder with half a run."""
    ended = limbeck("distil", taught / "teacher-0", taught / "weather", "--out", tmp_path / "RUN", *flags)
    assert ended.status in (2, 4)
    assert says in ended.err
    assert "Traceback" not in ended.err
    assert not (tmp_path / "RUN" / "metrics.json").exists()


def test_other_classes_are_refused(taught, tmp_path):
    """Data with a class that the teacher does not know."""
    (tmp_path / "train.txt").write_text("i feel fine;glee\nso sad;gloom\n" * 20, "utf-8")
    curriculum = Curriculum(teachers=[taught / "teacher-0"], dataset=read(tmp_path / "train.txt"))
    with pytest.raises(DataError, match=r"not known here; known are .*\n  - 'glee' \(20 rows.*\n  - 'gloom' \(20 rows"):
        distil(curriculum, tmp_path / "RUN", settings_of())


def test_states_of_an_ensemble_are_not_compared(taught, tmp_path):
    """There is not one state to come near to."""
    with pytest.raises(SettingsError, match="hidden_weight"):
        distil(curriculum_of(taught, seeds=(0, 1)), tmp_path / "RUN", settings_of(hidden_weight=1.0))


@pytest.mark.parametrize("changes", [{"hidden_weight": 1.0}, {"hidden_weight": 1.0, "width": 8}, {"start": "nothing"}])
def test_every_kind_of_student_is_trained(taught, tmp_path, changes):
    """States compared, narrower with a learned projection, and from nothing: all leave a bundle that answers."""
    run = distil(curriculum_of(taught), tmp_path / "RUN", settings_of(**changes), cache=FeatureCache(tmp_path / "c"))
    assert load(run.folder.path).predict(["i feel fine"]).probabilities.shape == (1, 3)


def test_an_ablation_compares_and_goes_on(limbeck, taught, tmp_path):
    """Every arm and seed is a run; a second call with --resume trains nothing again."""
    out = tmp_path / "RUN"
    words = ("distil", taught / "teacher-0", taught / "weather", "--out", out, *QUICK, "--cache-dir", tmp_path)
    ended = limbeck(*words, "--ablation")
    assert ended.status == 0, ended.err
    found = json.loads((out / "ablation.json").read_text())
    assert [arm["name"] for arm in found["arms"]] == [
        "whole",
        "without the teacher",
        "without the labels",
        "without the teacher's weights",
    ]
    assert found["seeds"] == [0, 1, 2]
    assert all(len(arm["accuracies"]) == 3 for arm in found["arms"])
    assert "paired t-test" in ended.out
    runs = sorted(path.name for path in (out / "ablation").iterdir())
    assert len(runs) == 11
    before = {name: (out / "ablation" / name / "metrics.json").stat().st_mtime_ns for name in runs}
    again = limbeck(*words, "--ablation", "--resume")
    assert again.status == 0, again.err
    assert before == {name: (out / "ablation" / name / "metrics.json").stat().st_mtime_ns for name in runs}
    other = limbeck(*words, "--ablation", "--resume", "--temperature", "4")
    assert other.status == 2
    assert "temperature" in other.err


@pytest.fixture(scope="module")
def unsplit(taught, encoder_folder):
    """A folder with training rows alone, and a teacher that took its validation rows from them by a seed of its own."""
    write(read(taught / "weather").split("train"), taught / "unsplit")
    with on_one_thread():
        settings = Finetuning(
            features=FeatureSettings(encoder=str(encoder_folder), pooling="cls"),
            split=SplitSettings(validation_share=0.2, seed=5),
            finetune=FinetuneSettings(epochs=1, batch_rows=16, learning_rate=3e-3, precision="float32"),
        )
        finetune(read(taught / "unsplit"), taught / "teacher-unsplit", settings)
    return taught / "unsplit"


def validation_rows(run):
    return read_predictions(run / "predictions" / "validation.parquet").row_ids


@pytest.mark.parametrize("seed", [0, 1])
def test_a_student_is_judged_by_rows_that_its_teacher_did_not_learn_from(limbeck, taught, unsplit, tmp_path, seed):
    """Without a validation split the teacher's own is dealt again, whatever the seed of the student."""
    out, teacher = tmp_path / "RUN", taught / "teacher-unsplit"
    ended = limbeck("distil", teacher, unsplit, "--out", out, *QUICK, "--seed", seed, "--cache-dir", tmp_path)
    assert ended.status == 0, ended.err
    assert validation_rows(out) == validation_rows(teacher)
    assert "flatter it" not in ended.err
    assert json.loads((out / "metrics.json").read_text())["teacher"]["made_of_other_rows"] == []


def test_a_teacher_of_other_rows_is_told(limbeck, taught, unsplit, tmp_path):
    """Nobody knows then whether it learned from validation rows: it is said, and kept with the figures."""
    out, teacher = tmp_path / "RUN", taught / "teacher-0"
    ended = limbeck("distil", teacher, unsplit, "--out", out, *QUICK, "--cache-dir", tmp_path)
    assert ended.status == 0, ended.err
    assert "teacher-0 was made of other rows than these, or of another split" in " ".join(ended.err.split())
    assert json.loads((out / "metrics.json").read_text())["teacher"]["made_of_other_rows"] == [str(teacher)]


def test_a_report_finds_the_data_of_a_student_again(limbeck, taught, unsplit, tmp_path):
    """Whatever order their classes are read in, and though the split is the teacher's: the same rows and labels."""
    out, teacher = tmp_path / "RUN", taught / "teacher-unsplit"
    assert limbeck("distil", teacher, unsplit, "--out", out, *QUICK, "--cache-dir", tmp_path).status == 0
    again = read_data_of(open_past_data(out))
    answered = read_predictions(out / "predictions" / "validation.parquet")
    assert list(again.split("validation").texts) == list(answered.texts)
    assert again.split("validation").labels.tolist() == answered.known_labels.tolist()
    ended = limbeck("report", out, "--cache-dir", tmp_path)
    assert ended.status == 0, ended.err
    assert "leaves out what only the data" not in ended.err
    html = (out / "report.html").read_text("utf-8")
    assert "Teacher and student" in html
    assert f"limbeck labels {teacher} --out review.csv --cross-fit 5" in html


def test_an_ablation_of_an_unsplit_data_set_is_found_again(limbeck, taught, unsplit, tmp_path, monkeypatch):
    """A finished run goes on to its ablation though the split in its record is the teacher's and not the default."""
    monkeypatch.setattr(ablation, "SEEDS", 2)
    out, teacher = tmp_path / "RUN", taught / "teacher-unsplit"
    words = ("distil", teacher, unsplit, "--out", out, *QUICK, "--cache-dir", tmp_path)
    assert limbeck(*words).status == 0
    ended = limbeck(*words, "--ablation", "--resume")
    assert ended.status == 0, ended.err
    assert (out / "ablation.json").exists()
