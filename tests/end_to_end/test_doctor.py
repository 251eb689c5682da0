"""`limbeck doctor`: which engine computes here, for an encoder and for a model."""

import json

import pytest
import torch
from tests.conformance.drawn import make_loaded
from tests.gpus import AMPERE
from tests.libraries import CACHE_HOME

from limbeck import runtime
from limbeck.inference import engine_calibration as calibration
from limbeck.inference import engine_candidates, peak, quiet, speeds, torch_engine
from limbeck.model import packed_attention
from limbeck.model.loaded_encoder import write_encoder
from limbeck.native.instruction_sets import LIBRARIES
from limbeck.native.kernels import NoKernels
from limbeck.native.libraries import FORCED, find_library, why_not_usable
from limbeck.processor import machine
from limbeck.training import arithmetic


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path):
    """Measure briefly, without kernels, and keep it in this test's folder."""
    monkeypatch.setattr(speeds, "SPEED_ROUNDS", 1)
    monkeypatch.setattr(speeds, "_SHORT_CALLS", 2)
    monkeypatch.setattr(engine_candidates, "find_library", lambda *given: NoKernels(reason="none in this test"))
    # The line about training asks for kernels: not in this test's empty cache, where they would be compiled anew.
    monkeypatch.setattr(arithmetic, "find_library", lambda name, **_: find_library(name, CACHE_HOME / "limbeck"))
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
        assert "Texts are tokenized " in ended.out
        assert "A fine-tuning of this encoder computes in 'torch " in ended.out  # it is 16 wide


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
    assert found["tokenizes"].startswith("Texts are tokenized ")


def test_a_model_and_an_encoder_are_one_too_many(limbeck, encoder_folder, bundle_folder, tmp_path):
    """One line that says what to give; so does a folder that is no model."""
    ended = limbeck("doctor", bundle_folder, "--encoder", encoder_folder)
    assert ended.status == 2
    assert "not both" in ended.err
    ended = limbeck("doctor", tmp_path / "nowhere")
    assert ended.status != 0
    assert "does not exist" in ended.err


def test_each_instruction_set_is_used_or_says_why_not(limbeck, wide_folder, library, monkeypatch):
    """Its speed stands beside what its loop reaches; the others say which flag is missing, or that they are slower."""
    for module in (engine_candidates, peak):
        monkeypatch.setattr(module, "find_library", lambda name, *given: library)
    monkeypatch.setenv(FORCED, library.name)
    ended = limbeck("doctor", "--encoder", wide_folder)
    assert ended.status == 0, ended.err
    name = f"native-{library.name}"
    (row,) = (line for line in ended.out.splitlines() if line[2:].startswith(f"{name} ") and " ms " in line)
    assert float(row.split()[-5].replace(",", "")) >= 0
    for one in LIBRARIES:
        if one.name != library.name and machine() in one.machines:
            (line,) = (line for line in ended.out.splitlines() if line.startswith(f"  native-{one.name}: "))
            assert why_not_usable(one) in line if why_not_usable(one) else f"{FORCED}={library.name} is set" in line
    assert f"{name} was compiled on this machine" in ended.out or f"{name} came with limbeck" in ended.out
    found = json.loads(limbeck("doctor", "--encoder", wide_folder, "--json").out)
    assert found["peak_gflops"].keys() == {name}
    assert found["why_not"].keys() | {found["used"]} == {one["name"] for one in found["candidates"]} | set(
        found["refused"]
    )
    assert set(found["flags"]) <= set().union(*(one.cpu_flags for one in LIBRARIES))


@pytest.mark.slow
@pytest.mark.parametrize("columns", [80, 120])
def test_no_row_is_wider_than_the_screen(limbeck, wide_folder, quick_library, monkeypatch, columns):
    """The table of engines fits a narrow terminal."""
    for module in (engine_candidates, peak):
        monkeypatch.setattr(module, "find_library", lambda name, *given: quick_library)
    monkeypatch.setenv("COLUMNS", str(columns))
    rows = [line for line in limbeck("doctor", "--encoder", wide_folder).out.splitlines() if " ms " in line]
    assert rows
    assert all(len(line) <= columns for line in rows)


def test_an_engine_is_forced_by_name(limbeck, bundle_folder, library, monkeypatch):
    """Where it cannot be, the error says what is missing, before anything is computed."""
    monkeypatch.setattr(
        engine_candidates, "find_library", lambda name, *given: library if name == library.name else find_library(name)
    )
    ended = limbeck("predict", bundle_folder, "i feel fine", "--engine", "torch-float32")
    assert ended.status == 0, ended.err
    ended = limbeck("predict", bundle_folder, "i feel fine", "--engine", f"native-{library.name}")
    assert ended.status == 2
    assert "is not a multiple of 32" in ended.err
    missing = next(one for one in LIBRARIES if why_not_usable(one))
    ended = limbeck("predict", bundle_folder, "i feel fine", "--engine", f"native-{missing.name}")
    assert ended.status == 2
    assert f"engine native-{missing.name} cannot be used: {why_not_usable(missing)}" in ended.err


@pytest.fixture
def wide_folder(tiny_tokenizer, tmp_path):
    """An encoder on disk that kernels can compute."""
    loaded = make_loaded(tiny_tokenizer, dim=64, n_heads=2, hidden_dim=64)
    folder = tmp_path / "wide"
    folder.mkdir()
    write_encoder(loaded.encoder, loaded.tokenizer, folder)
    return folder


def test_a_gpu_is_what_auto_computes_on(limbeck, encoder_folder, monkeypatch):
    """Its engines are shown and why the CPU's are not; what a training computes in, too; --device cpu shows the CPU."""
    monkeypatch.setattr(runtime, "choose_device", lambda device: torch.device("cpu" if device == "cpu" else "cuda"))
    monkeypatch.setattr(runtime, "gpu_features", lambda device: AMPERE if device.type == "cuda" else None)
    monkeypatch.setattr(torch_engine, "choose_device", lambda device: torch.device("cpu"))
    monkeypatch.setattr(arithmetic, "has_bf16", lambda kind: kind == "cuda")
    monkeypatch.setattr(packed_attention, "find_varlen", lambda *given: "it failed: no kernel image")
    ended = limbeck("doctor", "--encoder", encoder_folder)
    assert ended.status == 0, ended.err
    assert "GPU      a GPU, 80 GiB: it computes" in ended.out
    assert "torch-float16: bfloat16 is as fast here" in ended.out
    assert "native-portable: computes on the CPU" in ended.out
    assert "A fine-tuning of this encoder computes in 'torch bfloat16, weights float32 cuda' here." in ended.out
    assert "on a GPU)." in ended.out
    assert "in bfloat16, texts in groups by length (it failed: no kernel image)" in ended.out
    found = json.loads(limbeck("doctor", "--encoder", encoder_folder, "--json").out)
    assert found["gpu"]["name"] == "a GPU"
    assert [one["numerics"] for one in found["candidates"]] == ["torch float32 cuda", "torch bfloat16 cuda"]
    on_cpu = limbeck("doctor", "--encoder", encoder_folder, "--device", "cpu").out
    assert "GPU " not in on_cpu
    assert "torch-float16: for GPUs without units for bfloat16" in on_cpu
