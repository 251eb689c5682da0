"""The native engine: the compiled kernels of an instruction set, nothing padded.

In: `Tokenized` texts and the blocks wanted. Out: features (N, F) in the order of the texts.
It does not know texts, heads or caches. Each worker computes its own chunks on one thread, and all share the weights;
a call's only chunk may be computed by several threads together.
"""

import ctypes
import math
import queue
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from limbeck.errors import NoMemoryError, SettingsError, WeightsError
from limbeck.inference.engine import require_fit
from limbeck.inference.kept_threads import KeptThreads
from limbeck.inference.packing import Chunks, each_once, even_chunks
from limbeck.model.blocks import Block
from limbeck.model.config import EncoderConfig
from limbeck.model.encoder import LAYER_NORM_EPSILON, Layer
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.native.kernels import (
    About,
    FeatureArrays,
    Kernels,
    LayerArrays,
    ModelArrays,
    NormArrays,
    TextArrays,
    require_done,
)
from limbeck.progress import SILENT, Progress
from limbeck.runtime import allowed_threads
from limbeck.tokens import Tokenized

ENGINE_NUMERICS = "native bfloat16 cpu"
"""What records of runs say when this computes with products of bfloat16 numbers."""
FLOAT_ENGINE_NUMERICS = "native float32, weights bfloat16 cpu"
"""What they say when it computes with products of float32 numbers."""
_KINDS = {"cls": 0, "mean": 1, "max": 2}
_MOST_WIDTH = 8192
USUAL_WIDTH_STEP = 32
_LARGE_PAGE_BYTES = 2**21
_LINE_BYTES = 64


def why_not(config: EncoderConfig, width_step: int = USUAL_WIDTH_STEP) -> str | None:
    """Return the reason why kernels cannot compute an encoder; nothing when they can.

    Args:
        config: the encoder's sizes.
        width_step: what the kernels say of themselves; that of all that there are when not given.
    """
    widths = {"dim": config.dim, "hidden_dim": config.hidden_dim, "dim / n_heads": config.dim // config.n_heads}
    odd = [f"{name} = {width}" for name, width in widths.items() if width % width_step]
    if odd:
        return f"the encoder's {', '.join(odd)} is not a multiple of {width_step}"
    if config.dim > _MOST_WIDTH:
        return f"the encoder's dim = {config.dim} is above {_MOST_WIDTH}"
    return None


def require_computable(config: EncoderConfig, width_step: int = USUAL_WIDTH_STEP) -> None:
    """Refuse an encoder that kernels cannot compute.

    Args:
        config: the encoder's sizes.
        width_step: as in `why_not`.

    Raises:
        SettingsError: says which of its widths is at fault.
    """
    if reason := why_not(config, width_step):
        raise SettingsError(f"the native engine cannot compute this encoder: {reason}; use the torch engine")


def engine_numerics(about: About) -> str:
    """Return the arithmetic of kernels, in words, as records of runs have it."""
    return ENGINE_NUMERICS if about.is_bf16 else FLOAT_ENGINE_NUMERICS


class NativeEngine:
    """Computes features with the compiled kernels.

    The weights are packed once, here: later changes of the encoder's layers do not reach this engine. Its word
    embeddings, the largest weights and those of which a text needs few, are not copied: change them in no open engine.

    Attributes:
        loaded: the encoder.
        threads: workers that compute chunks at the same time.

    Only a processor that the kernels are written for can run this:

        loaded = load_encoder_folder("minilm")
        engine = NativeEngine(loaded, find_kernels())
    """

    def __init__(self, loaded: LoadedEncoder, kernels: Kernels, *, threads: int | None = None) -> None:
        require_computable(loaded.config, kernels.about.width_step)
        self.loaded = loaded
        self.threads = threads or allowed_threads()
        self._one_text_threads = 1
        self._library = kernels.library
        self._about = kernels.about
        self._build = kernels.digest
        self._library_name = kernels.name
        self._packed = PackedEncoder(loaded, kernels)
        self._free: queue.SimpleQueue[Workplace] = queue.SimpleQueue()
        self._kept_threads = KeptThreads(self.threads - 1)

    @property
    def one_text_threads(self) -> int:
        """Threads that compute a call's only chunk together, 1 to `threads`."""
        return self._one_text_threads

    @one_text_threads.setter
    def one_text_threads(self, count: int) -> None:
        if not 1 <= count <= self.threads:
            raise SettingsError(f"one_text_threads = {count} is not possible: this engine has {self.threads} threads")
        self._one_text_threads = count

    @property
    def numerics(self) -> str:
        """Engine, precision and device, in words, as records of runs have them."""
        return engine_numerics(self._about)

    @property
    def library_name(self) -> str:
        """The instruction set of its kernels."""
        return self._library_name

    @property
    def build(self) -> str:
        """Which version of the engine this is; with `numerics` it decides the bits of a result."""
        return self._build

    @property
    def width(self) -> int:
        """D, the columns of one block."""
        return self.loaded.config.dim

    @property
    def layers(self) -> int:
        """Number of transformer layers."""
        return self.loaded.config.n_layers

    @property
    def token_budget(self) -> int:
        """Real tokens a chunk unless told otherwise."""
        return self._about.chunk_tokens

    def features(
        self,
        tokenized: Tokenized,
        blocks: Sequence[Block],
        *,
        token_budget: int | None = None,
        progress: Progress = SILENT,
    ) -> np.ndarray:
        """Return the features of every text, (N, F) float32, in the order of the texts.

        Args:
            tokenized: N texts.
            blocks: what to take of which hidden state; F is the encoder's width times their number.
            token_budget: real tokens a chunk; the engine's own when not given.
            progress: is told of tokens done.

        Raises:
            SettingsError: a text does not fit the encoder, or a block's layer does not exist.
        """
        require_fit(tokenized, blocks, self.loaded.config)
        _require_known(blocks)
        tokenized, places_N = each_once(tokenized)
        budget = min(token_budget or self.token_budget, self.token_budget)
        chunks = even_chunks(tokenized.lengths, budget, self.threads)
        features_NF = np.empty((len(tokenized), len(blocks) * self.width), dtype=np.float32)
        with progress.track("encoding", total=len(tokenized.ids), unit="tokens") as advance:
            job = _Job(self._library, self._packed, tokenized, blocks, chunks, features_NF)
            if len(chunks) == 1 or self.threads == 1:
                for chunk in range(len(chunks)):
                    with self._workplace(job.longest) as place:
                        advance(job.run(chunk, place, self.one_text_threads))
            elif len(chunks):
                self._share_out(job, advance)
        return features_NF if places_N is None else features_NF[places_N]

    def _share_out(self, job: "_Job", advance: Callable[[int], None]) -> None:
        """Let workers take chunk after chunk, the caller one of them; all of them stop at the first exception."""
        order = iter(range(len(job.chunks)))
        lock = threading.Lock()
        stopped = threading.Event()

        def work() -> None:
            try:
                with self._workplace(job.longest) as place:
                    while not stopped.is_set():
                        with lock:
                            chunk = next(order, None)
                        if chunk is None:
                            return
                        done = job.run(chunk, place, 1)
                        with lock:
                            advance(done)
            except BaseException:
                stopped.set()
                raise

        self._kept_threads.work_together(work, min(self.threads, len(job.chunks)))

    @contextmanager
    def _workplace(self, longest: int) -> Iterator["Workplace"]:
        """Lend memory for one chunk; what fits every usual chunk is kept for the next."""
        if longest > self._about.chunk_tokens:
            yield Workplace(self._library, self._packed, longest, self.threads)
            return
        try:
            place = self._free.get_nowait()
        except queue.Empty:
            place = Workplace(self._library, self._packed, self._about.chunk_tokens, self.threads)
        try:
            yield place
        finally:
            self._free.put(place)


class PackedEncoder:
    """An encoder's weights as the kernels want them: those of products packed, the rest in float32.

    Word embeddings are not copied: they stay the encoder's own array.

    Raises:
        WeightsError: a weight is not a finite number, which the kernels would hide.
    """

    def __init__(self, loaded: LoadedEncoder, kernels: Kernels) -> None:
        self._kernels = kernels
        self._kept: list[np.ndarray] = []
        config, encoder = loaded.config, loaded.encoder
        self._room = _aligned_room(config.n_layers * sum(map(self._bytes_of, _shapes(config))))
        layers = [self._layer(cast("Layer", layer), config) for layer in encoder.transformer.layer]
        self._layers = (LayerArrays * len(layers))(*layers)
        embeddings = encoder.embeddings
        self._arrays = ModelArrays(
            dim=config.dim,
            n_heads=config.n_heads,
            hidden_dim=config.hidden_dim,
            n_layers=config.n_layers,
            gelu=config.activation == "gelu",
            epsilon=LAYER_NORM_EPSILON,
            words=self._keep(_float_array(embeddings.word_embeddings.weight)),
            positions=self._floats(embeddings.position_embeddings.weight),
            norm=self._norm(embeddings.LayerNorm),
            layers=self._layers,
        )
        self.address = ctypes.addressof(self._arrays)

    def _layer(self, layer: Layer, config: EncoderConfig) -> LayerArrays:
        attention, ffn = layer.attention, layer.ffn
        # The scores' scale and the exponential's base are folded into the queries: one rounding in all.
        scale = self._kernels.about.score_unit * math.log2(math.e) / math.sqrt(config.dim // config.n_heads)
        queries, keys, values = attention.q_lin, attention.k_lin, attention.v_lin
        qkv_weight = torch.cat([(queries.weight.double() * scale).float(), keys.weight, values.weight])
        qkv_bias = torch.cat([(queries.bias.double() * scale).float(), keys.bias, values.bias])
        return LayerArrays(
            qkv=self._packed(qkv_weight),
            mix=self._packed(attention.out_lin.weight),
            up=self._packed(ffn.lin1.weight),
            down=self._packed(ffn.lin2.weight),
            qkv_bias=self._floats(qkv_bias),
            mix_bias=self._floats(attention.out_lin.bias),
            up_bias=self._floats(ffn.lin1.bias),
            down_bias=self._floats(ffn.lin2.bias),
            norm1=self._norm(layer.sa_layer_norm),
            norm2=self._norm(layer.output_layer_norm),
        )

    def _norm(self, norm: nn.LayerNorm) -> NormArrays:
        return NormArrays(scale=self._floats(norm.weight), shift=self._floats(norm.bias))

    def _floats(self, values: Tensor) -> int:
        return self._keep(_float_array(values).copy())

    def _packed(self, weight: Tensor) -> int:
        """Return the address of a packed copy of (n_out, n_in) weights."""
        plain = _float_array(weight)
        size = self._bytes_of(plain.shape)
        packed, self._room = self._room[:size], self._room[size:]
        self._kernels.library.limbeck_pack(plain.ctypes.data, *plain.shape, packed.ctypes.data)
        return self._keep(packed)

    def _bytes_of(self, shape: tuple[int, ...]) -> int:
        """Return what packed weights take, up to the end of a cache line."""
        size = int(self._kernels.library.limbeck_packed_bytes(*shape))
        return size + -size % _LINE_BYTES

    def _keep(self, array: np.ndarray) -> int:
        self._kept.append(array)
        return array.ctypes.data


class Workplace:
    """The memory of one chunk inside the kernels."""

    def __init__(self, library: ctypes.CDLL, packed: PackedEncoder, tokens: int, threads: int) -> None:
        address = library.limbeck_workplace(packed.address, tokens, threads)
        if not address:
            raise NoMemoryError(
                f"no memory for a chunk of {tokens:,} tokens: close other programs, or use precision float32"
            )
        self.address: int = address
        weakref.finalize(self, library.limbeck_leave, address)


def _require_known(blocks: Sequence[Block]) -> None:
    """Refuse a pooling that the kernels do not have; what torch computes knows all of `model.pooling`."""
    for block in blocks:
        if block.pooling not in _KINDS:
            raise SettingsError(
                f"the native engine does not know the pooling {block.pooling!r} (it has {', '.join(_KINDS)}): compute "
                "with engine torch-float32"
            )


class _Job:
    """One call of `features`: where its chunks are and where their results go."""

    def __init__(
        self,
        library: ctypes.CDLL,
        packed: PackedEncoder,
        tokenized: Tokenized,
        wanted: Sequence[Block],
        chunks: Chunks,
        features_NF: np.ndarray,
    ) -> None:
        self._encode = library.limbeck_encode
        self._packed = packed
        self._ids = np.ascontiguousarray(tokenized.ids, dtype=np.int32)
        self._offsets = np.ascontiguousarray(tokenized.offsets, dtype=np.int64)
        self._wanted = np.array([(block.layer, _KINDS[block.pooling]) for block in wanted], dtype=np.int32)
        self._features_NF = features_NF
        self._lengths = tokenized.lengths
        self.chunks = chunks
        self.longest = int(self._lengths.max(initial=0))

    def run(self, chunk: int, place: Workplace, threads: int) -> int:
        """Compute a chunk with so many threads; return its tokens. Python's lock is free meanwhile."""
        first = int(self.chunks.stops[chunk - 1]) if chunk else 0
        rows = self.chunks.rows[first : self.chunks.stops[chunk]]
        texts = TextArrays(
            ids=self._ids.ctypes.data, offsets=self._offsets.ctypes.data, rows=rows.ctypes.data, count=len(rows)
        )
        out = FeatureArrays(
            blocks=self._wanted.ctypes.data, n_blocks=len(self._wanted), out=self._features_NF.ctypes.data
        )
        tokens = int(self._lengths[rows].sum())
        answer = self._encode(self._packed.address, place.address, threads, texts, out)
        require_done(answer, doing=f"a chunk of {tokens:,} tokens")
        return tokens


def _shapes(config: EncoderConfig) -> tuple[tuple[int, int], ...]:
    """Return (n_out, n_in) of a layer's packed weights."""
    dim, hidden = config.dim, config.hidden_dim
    return (3 * dim, dim), (dim, dim), (hidden, dim), (dim, hidden)


def _aligned_room(size: int) -> np.ndarray:
    """Return room for so many bytes, at the start of a large page.

    One block, so that it is worth large pages; from the start of a cache line, or each load would touch two of them.
    """
    room = np.empty(size + _LARGE_PAGE_BYTES, dtype=np.uint8)
    start = -room.ctypes.data % _LARGE_PAGE_BYTES
    return room[start : start + size]


def _float_array(values: Tensor) -> np.ndarray:
    array = np.ascontiguousarray(values.detach().float().cpu().numpy())
    if not np.isfinite(array).all():
        raise WeightsError(
            "the encoder has weights that are not finite numbers: its training went wrong, or its file is damaged"
        )
    return array
