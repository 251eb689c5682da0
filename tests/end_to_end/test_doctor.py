"""`limbeck doctor`: which engine computes here, for an encoder and for a model."""

import json

import pytest

from limbeck.inference import calibration, speeds
from limbeck.inference.kernels import NoKernels


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path):
    """Measure briefly, without kernels, and keep it in this test's folder."""
    monkeypatch.setattr(speeds, "ROUNDS", 1)
    monkeypatch.setattr(speeds, "_SHORT_CALLS", 2)
    monkeypatch.setattr(calibration, "find_kernels", lambda *given: NoKernels(reason="none in this test"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_an_encoder_goes_by_class_means_and_a_model_by_its_answers(limbeck, encoder_folder, bundle_folder):
    """Both name the engine that is used; the text says what was compared."""
    for words, says in (
        (("--encoder", encoder_folder), "the nearest of six class means"),
        ((bundle_folder,), "the model's own answers"),
    ):
        ended = limbeck("doctor", *words)
        assert ended.status == 0, ended.err
        assert says in ended.out
        assert sum(line.startswith("* ") for line in ended.out.splitlines()) == 2  # the engine, and what the star means
        assert "none in this test" in ended.out


def test_the_same_as_json(limbeck, bundle_folder):
    """Every candidate but float32 has a certificate; the chosen one is among them."""
    found = json.loads(limbeck("doctor", bundle_folder, "--json").out)
    names = [one["name"] for one in found["candidates"]]
    assert found["chosen"] in names
    assert [one["name"] for one in found["candidates"] if one["certificate"] is None] == ["torch-float32"]
    assert found["encoder"] == str(bundle_folder)


def test_a_model_and_an_encoder_are_one_too_many(limbeck, encoder_folder, bundle_folder, tmp_path):
    """One line that says what to give; so does a folder that is no model."""
    ended = limbeck("doctor", bundle_folder, "--encoder", encoder_folder)
    assert ended.status == 2
    assert "not both" in ended.err
    ended = limbeck("doctor", tmp_path / "nowhere")
    assert ended.status != 0
    assert "does not exist" in ended.err
