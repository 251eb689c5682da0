"""`limbeck doctor`: which engine computes here, for an encoder and for a model."""

import json

import pytest
import torch

from limbeck.inference import engine_calibration as calibration
from limbeck.inference import engine_candidates, quiet, speeds
from limbeck.native.kernels import NoKernels


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path):
    """Measure briefly, without kernels, and keep it in this test's folder."""
    monkeypatch.setattr(speeds, "SPEED_ROUNDS", 1)
    monkeypatch.setattr(speeds, "_SHORT_CALLS", 2)
    monkeypatch.setattr(engine_candidates, "find_library", lambda *given: NoKernels(reason="none in this test"))
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
        assert "native-" in ended.out


def test_it_says_what_to_expect(limbeck, encoder_folder, monkeypatch):
    """One line with the time of a job that everyone can run, and the instruction set that it is for."""
    for rate, said in ((100_000.0, "about 13 seconds"), (3_475.0, "about 6 minutes"), (50.0, "about 7.0 hours")):
        monkeypatch.setattr(calibration, "measure_speeds", lambda engines, rate=rate: measured(engines, rate))
        ended = limbeck("doctor", "--encoder", encoder_folder, "--again")
        (line,) = (line for line in ended.out.splitlines() if line.startswith("Expect "))
        assert f"Expect {said} here for one pass over the 38,158 tweets of the sample (torch-" in line
        assert torch.backends.cpu.get_cpu_capability() in line


def measured(engines, rate):
    """Speeds of this many tokens a second."""
    moment = quiet.Moment(gflops=1.0, core_share=1.0, at_s=0.0)
    rates = dict.fromkeys(engines, rate)
    return speeds.Speeds(
        tokens_per_s=rates, one_text_ms=rates, one_text_threads=dict.fromkeys(engines, 1), moment=moment
    )


@pytest.mark.slow
def test_a_probe_shows_the_engine_that_it_keeps(limbeck, trained):
    """The star stands at the engine of its features, and a line says why."""
    ended = limbeck("doctor", trained / "bundle")
    assert ended.status == 0, ended.err
    assert "* torch-float32" in ended.out
    assert "features were made with 'torch float32 cpu': it keeps that engine" in ended.out


def test_measurements_are_counted_by_the_cache_command(limbeck, encoder_folder):
    """Speeds of the sizes and certificates of the weights: two results."""
    limbeck("doctor", "--encoder", encoder_folder)
    assert json.loads(limbeck("cache", "list", "--json").out)["measurements"] == 2
    assert "Beside them: 2 results of measuring engines" in limbeck("cache", "list").out


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
