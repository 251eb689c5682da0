"""Going on where the machine computes in another arithmetic; what is refused at once, and what is left alone."""

import json
import re

import pytest
import torch
from tests.libraries import RUNNABLE

from limbeck import FeatureSettings, FinetuneSettings, HeadSettings, ProbeSettings, read
from limbeck.catalog.presets import load_encoder_folder
from limbeck.errors import Interrupted, SettingsError
from limbeck.features.cache import FeatureCache
from limbeck.inference.choice import open_engine_of
from limbeck.methods import head as head_training
from limbeck.methods.finetune import finetune
from limbeck.methods.head import train_head
from limbeck.methods.probe import train_probe
from limbeck.methods.trainings import Finetuning, HeadTraining, ProbeTraining
from limbeck.model.bundle import load_bundle
from limbeck.model.config import EncoderConfig
from limbeck.model.encoder import Encoder
from limbeck.model.loaded_encoder import write_encoder
from limbeck.training import arithmetic

pytestmark = pytest.mark.slow


def quick(method, encoder_folder, engine=None, **changes):
    own = dict(epochs=2, batch_rows=32, checkpoint_every_s=0.0, **changes)
    features = FeatureSettings(encoder=str(encoder_folder), engine=engine)
    if method == "head":
        return HeadTraining(features=features, head=HeadSettings(**own))
    tuned = FeatureSettings(encoder=str(encoder_folder), pooling="cls", engine=engine)
    return Finetuning(features=tuned, finetune=FinetuneSettings(**own))


@pytest.fixture
def train(weather, encoder_folder, tmp_path):
    """Train a head or fine-tune; `ends` interrupts after the first epoch."""

    def run(method, *, ends=False, start="new", progress=None, encoder=encoder_folder, out="RUN", **changes):
        settings = quick(method, encoder, **changes)
        how = {"start": start} if progress is None else {"start": start, "progress": progress}
        with pytest.MonkeyPatch.context() as patch:
            if ends:
                from limbeck.training.loop import Loop

                patch.setattr(Loop, "_judge_epoch", lambda *_: (_ for _ in ()).throw(Interrupted("asked")))
            if method == "head":
                cache = FeatureCache(tmp_path / "cache")
                return train_head(read(weather), tmp_path / out, settings, cache=cache, **how)
            return finetune(read(weather), tmp_path / out, settings, **how)

    return run


@pytest.fixture
def prefers_bf16(monkeypatch):
    """From now on the machine chooses bfloat16 where it is left to choose."""

    def prefer():
        def choose(loaded, **_):
            return open_engine_of(loaded, "torch bfloat16 cpu")

        monkeypatch.setattr(head_training, "open_engine", choose)
        monkeypatch.setattr(arithmetic, "computes_in_bf16", lambda precision, device: precision != "float32")

    return prefer


def numerics_of(run):
    return json.loads((run / "run.json").read_text("utf-8"))["encoder"]["numerics"]


@pytest.mark.parametrize("method", ["head", "finetune"])
def test_a_run_goes_on_in_the_arithmetic_that_it_was_begun_in(train, prefers_bf16, tmp_path, method):
    """Although the machine would choose another now."""
    with pytest.raises(Interrupted):
        train(method, ends=True)
    begun = numerics_of(tmp_path / "RUN")
    prefers_bf16()
    train(method, start="resume")
    assert numerics_of(tmp_path / "RUN") == begun
    assert "float32" in begun


@pytest.mark.parametrize("method", ["head", "finetune"])
def test_another_arithmetic_is_gone_on_with_when_it_is_accepted(train, tmp_path, method):
    """Refused with what to do; accepted, it is written into run.json and the model, and need not be accepted twice."""
    with pytest.raises(Interrupted):
        train(method, ends=True)
    place = tmp_path / "RUN" / "run.json"
    record = json.loads(place.read_text("utf-8"))
    here, record["encoder"]["numerics"] = record["encoder"]["numerics"], "quantum int3 qpu"
    place.write_text(json.dumps(record), "utf-8")
    with pytest.raises(SettingsError, match=r"quantum int3 qpu.*--accept-engine"):
        train(method, start="resume")
    with pytest.raises(Interrupted):
        train(method, start="resume-with-any-engine", ends=True)
    run = train(method, start="resume")
    assert json.loads(place.read_text("utf-8"))["encoder"] == {
        **record["encoder"],
        "numerics": here,
        "earlier_numerics": ["quantum int3 qpu"],
    }
    facts = json.loads((run.folder.bundle / "limbeck.json").read_text("utf-8"))
    assert facts["provenance"]["encoder"]["earlier_numerics"] == ["quantum int3 qpu"]


@pytest.fixture(scope="module")
def wide_encoder_folder(tiny_tokenizer, tmp_path_factory):
    """A tiny encoder that kernels can compute."""
    torch.manual_seed(7)
    sizes = EncoderConfig(
        vocab_size=20, dim=32, n_layers=1, n_heads=1, hidden_dim=32, max_position_embeddings=24, initializer_range=0.3
    )
    folder = tmp_path_factory.mktemp("wide") / "encoder"
    folder.mkdir()
    write_encoder(Encoder(sizes), tiny_tokenizer, folder)
    return folder


def encoder_weights_of(folder):
    return load_bundle(folder / "bundle").network().encoder.state_dict()


def test_a_run_of_other_kernels_goes_on_with_them(train, wide_encoder_folder, tmp_path):
    """Where the CPU runs them, though it has better ones: the encoder's bits are those of an unbroken run.

    The head is scaled by a temperature in the end, from answers of the engine that predicts.
    """
    with pytest.raises(Interrupted):
        train("finetune", encoder=wide_encoder_folder, engine="native-portable", ends=True)
    train("finetune", encoder=wide_encoder_folder, start="resume")
    train("finetune", encoder=wide_encoder_folder, engine="native-portable", out="UNBROKEN")
    assert numerics_of(tmp_path / "RUN") == "native float32 (portable) cpu"
    found, unbroken = (encoder_weights_of(tmp_path / name) for name in ("RUN", "UNBROKEN"))
    assert all(torch.equal(found[name], unbroken[name]) for name in unbroken)


@pytest.mark.parametrize("begun", [*(f"native-{name}" for name in RUNNABLE if name != "portable"), "torch-float32"])
def test_other_kernels_go_on_with_a_run_when_they_are_accepted(train, wide_encoder_folder, tmp_path, begun):
    """One arithmetic in two libraries has two orders of sums: refused by both names, then recorded."""
    with pytest.raises(Interrupted):
        train("finetune", encoder=wide_encoder_folder, engine=begun, ends=True)
    was, now = numerics_of(tmp_path / "RUN"), "native float32 (portable) cpu"
    said = rf"{re.escape(was)}\).*{re.escape(now)}\).*--accept-engine"
    with pytest.raises(SettingsError, match=said):
        train("finetune", encoder=wide_encoder_folder, engine="native-portable", start="resume")
    run = train("finetune", encoder=wide_encoder_folder, engine="native-portable", start="resume-with-any-engine")
    recorded = json.loads((tmp_path / "RUN" / "run.json").read_text("utf-8"))["encoder"]
    assert (recorded["numerics"], recorded["earlier_numerics"]) == (now, [was])
    facts = json.loads((run.folder.bundle / "limbeck.json").read_text("utf-8"))
    assert facts["provenance"]["encoder"]["earlier_numerics"] == [was]
    assert len(run.epochs) == 2


def test_a_head_that_is_gone_on_with_obeys_the_engine_that_is_given(train, wide_encoder_folder, tmp_path):
    """A name on the command line is never passed over for that of the record."""
    with pytest.raises(Interrupted):
        train("head", encoder=wide_encoder_folder, engine="torch-float32", ends=True)
    with pytest.raises(SettingsError, match=r"torch float32 cpu\).*native bfloat16 cpu\).*--accept-engine"):
        train("head", encoder=wide_encoder_folder, engine="native-soft", start="resume")


def test_seeds_are_all_computed_as_the_first(train, prefers_bf16, tmp_path):
    """A seed that begins on another machine computes as the others did, or their spread would not be chance."""
    with pytest.raises(Interrupted):
        train("head", ends=True, seeds=2)
    prefers_bf16()
    train("head", start="resume", seeds=2)
    first, second = (numerics_of(tmp_path / "RUN" / "seeds" / str(seed)) for seed in (0, 1))
    assert first == second == "torch float32 cpu"


@pytest.mark.parametrize("numerics", ["torch float32 cpu", "torch bfloat16 cpu"])
def test_the_engine_of_a_record_is_opened(encoder_folder, numerics):
    """By its own words; None for one that this machine has not."""
    loaded = load_encoder_folder(str(encoder_folder))
    assert open_engine_of(loaded, numerics).numerics == numerics
    assert open_engine_of(loaded, "torch float32 mps") is None
    assert open_engine_of(loaded, "native int8 cpu") is None


def test_accepting_goes_with_resume(limbeck, weather, tmp_path):
    """Alone it means nothing."""
    ended = limbeck("train", weather, "--method", "head", "--accept-engine", "--out", tmp_path / "RUN")
    assert ended.status == 2
    assert "give --resume" in ended.err


@pytest.mark.parametrize("method", ["probe", "head", "finetune"])
def test_a_training_gives_the_random_numbers_back(train, weather, encoder_folder, tmp_path, method):
    """What the caller draws next is what it would have drawn."""
    torch.manual_seed(5)
    before = torch.get_rng_state()
    if method == "probe":
        settings = ProbeTraining(
            features=FeatureSettings(encoder=str(encoder_folder)), probe=ProbeSettings(penalties=(0.1,), folds=2)
        )
        train_probe(read(weather), tmp_path / "RUN", settings, cache=FeatureCache(tmp_path / "cache"))
    else:
        train(method)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("method", ["probe", "head", "finetune"])
def test_one_label_is_refused_before_any_work(limbeck, tmp_path, encoder_folder, method):
    """There is nothing to tell apart: said at once, with the label, and nothing is left behind."""
    (tmp_path / "train.csv").write_text("text,label\n" + "fine,joy\nsunny,joy\n" * 5, "utf-8")
    out = tmp_path / "RUN"
    words = ("--method", method, "--encoder", tmp_path / "no such encoder", "--out", out)
    ended = limbeck("train", tmp_path / "train.csv", *words)
    assert ended.status == 3
    assert "one label only, 'joy'" in ended.err
    assert not (out / "run.json").exists()
