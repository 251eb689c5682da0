"""The contestants of `encode.py`: each turns tokenized texts into mean-pooled vectors of the last hidden state.

In: a model folder in DistilBERT's layout, and how many batches are computed at a time, which share the threads out.
Out: calls that take rows and the tokens of a batch and give float32 (N, D). Each is used as its own documentation
shows; batches are of similar lengths, the longest first. It does not know what is measured.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import text_encoders
import torch
from measure import SHARED_DATA
from text_encoders import EncodeTexts, masked_mean
from transformers import AutoModel, AutoTokenizer
from workloads import THREADS, Rows

from limbeck.runtime import cpu_features

Encode = Callable[[Rows, int], np.ndarray]
"""Rows and how many tokens a batch has, padding counted, in; vectors out."""
Make = Callable[[int], Encode]
"""Opens a peer that computes so many batches at the same time."""
Compute = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Padded ids and their mask in, vectors out."""
SHORT_TOKENS = 64
INT8_TEXTS = 50
"""Tweets that OpenVINO's int8 is calibrated on."""


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """One way to compute.

    Attributes:
        kind: "exact" answers as float32 does; "int8" is there for what a single text costs; "own tokenizer" takes
            strings, so its tokenizing is timed too, and makes its own batches.
        make: opens it.
        workers: numbers of batches at a time that may suit it.
    """

    kind: Literal["exact", "int8", "own tokenizer"]
    make: Make
    workers: tuple[int, ...] = (2, 1)


def peers(folder: Path) -> dict[str, Contestant]:
    """Return every peer by name: those in bf16 only where this CPU has units for it."""
    half, full = torch.bfloat16, torch.float32

    def exact(make: Make, *workers: int) -> Contestant:
        return Contestant(kind="exact", make=make, workers=workers or (2, 1))

    def int8(make: Make) -> Contestant:
        return Contestant(kind="int8", make=make, workers=(2,))

    def texts(encode: Callable[[], EncodeTexts]) -> Contestant:
        return Contestant(kind="own tokenizer", make=lambda _: _from_texts(encode()), workers=(1,))

    in_bf16 = {
        "OpenVINO bf16": exact(lambda n: openvino(folder, n, hint="bf16")),
        "transformers bf16, sorted": exact(lambda n: transformers_sorted(folder, n, half)),
        "transformers autocast, sorted": exact(lambda n: transformers_sorted(folder, n, full, autocast=True)),
        "transformers bf16, sorted, torch.compile": exact(lambda n: compiled_transformers(folder, n, half), 1),
        "sentence-transformers bf16": texts(lambda: text_encoders.sentence_transformers(folder, half)),
        "pipeline bf16": texts(lambda: text_encoders.pipeline(folder, half)),
    }
    in_float32 = {
        "OpenVINO float32": exact(lambda n: openvino(folder, n, hint="f32")),
        "ONNX Runtime float32": exact(lambda n: onnxruntime(folder, n)),
        "CTranslate2 float32": exact(lambda n: ctranslate2(folder, n, compute_type="float32")),
        "transformers float32, sorted": exact(lambda n: transformers_sorted(folder, n, full)),
        "transformers float32, sorted, torch.compile": exact(lambda n: compiled_transformers(folder, n, full), 1),
        "OpenVINO int8": int8(lambda n: openvino(folder, n, hint="f32", int8=True)),
        "ONNX Runtime int8": int8(lambda n: onnxruntime(folder, n, int8=True)),
        "CTranslate2 int8": int8(lambda n: ctranslate2(folder, n, compute_type="int8")),
        "sentence-transformers float32": texts(lambda: text_encoders.sentence_transformers(folder, full)),
        "pipeline float32": texts(lambda: text_encoders.pipeline(folder, full)),
        "the course's way": texts(lambda: text_encoders.course(folder)),
    }
    return (in_bf16 if cpu_features().bf16 else {}) | in_float32


def transformers_sorted(folder: Path, workers: int, dtype: torch.dtype, *, autocast: bool = False) -> Encode:
    """A careful user's `transformers`."""
    model = AutoModel.from_pretrained(folder, dtype=dtype).eval()

    def compute(ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            return masked_mean(model, torch.from_numpy(ids), torch.from_numpy(mask)).float().numpy()

    return _in_batches(workers, compute)


def compiled_transformers(folder: Path, workers: int, dtype: torch.dtype) -> Encode:
    """`torch.compile` over frozen weights, for any shape."""
    import torch._inductor.config as inductor

    inductor.freezing = True
    model = AutoModel.from_pretrained(folder, dtype=dtype).eval()
    # A batch of one text is a shape of its own: compiled for its length when it is short, else it goes the plain way.
    compiled, single = torch.compile(model, dynamic=True), torch.compile(model, dynamic=False)

    def compute(ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        chosen = compiled if len(ids) > 1 else single if ids.shape[1] <= SHORT_TOKENS else model
        with torch.inference_mode():
            return masked_mean(chosen, torch.from_numpy(ids), torch.from_numpy(mask)).float().numpy()

    return _in_batches(workers, compute)


def onnxruntime(folder: Path, workers: int, *, int8: bool = False) -> Encode:
    """ONNX Runtime; int8 is dynamic, as its documentation has it."""
    import onnxruntime as ort
    from onnxruntime.quantization import QuantType, quantize_dynamic

    plain, small = folder / "model.onnx", folder / "model-int8.onnx"
    if not plain.exists():
        _export_onnx(folder, plain)
    if int8 and not small.exists():
        # Without VNNI, products with signed weights saturate or have 7 bits; unsigned ones are exact, and faster.
        kind = QuantType.QInt8 if cpu_features().int8 else QuantType.QUInt8
        quantize_dynamic(plain, small, weight_type=kind)
    options = ort.SessionOptions()
    options.intra_op_num_threads = THREADS // workers
    session = ort.InferenceSession(small if int8 else plain, options, providers=["CPUExecutionProvider"])
    return _in_batches(workers, lambda ids, mask: session.run(None, {"input_ids": ids, "attention_mask": mask})[0])


def ctranslate2(folder: Path, workers: int, *, compute_type: str) -> Encode:
    """CTranslate2."""
    import ctranslate2 as ct2

    target = folder / "ctranslate2"
    if not target.exists():
        ct2.converters.TransformersConverter(str(folder)).convert(str(target))
    encoder = ct2.Encoder(
        str(target), compute_type=compute_type, inter_threads=workers, intra_threads=THREADS // workers
    )

    def compute(ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        lengths = mask.sum(1)
        done = encoder.forward_batch([row[:length].tolist() for row, length in zip(ids, lengths, strict=True)])
        hidden = np.array(done.last_hidden_state, dtype=np.float32)
        return np.einsum("nld,nl->nd", hidden, mask.astype(np.float32)) / lengths[:, None].astype(np.float32)

    return _in_batches(workers, compute)


def openvino(folder: Path, workers: int, *, hint: str, int8: bool = False) -> Encode:
    """OpenVINO: precision by hint or int8 after training; a stream a worker, asynchronous where there are two."""
    import openvino as ov

    core = ov.Core()
    plain, small = folder / "openvino.xml", folder / "openvino-int8.xml"
    if not plain.exists():
        ov.save_model(_openvino_graph(folder), plain, compress_to_fp16=False)
    if int8 and not small.exists():
        ov.save_model(_quantized(core.read_model(plain), AutoTokenizer.from_pretrained(folder)), small)
    settings = {
        "INFERENCE_PRECISION_HINT": hint,
        "NUM_STREAMS": str(workers),
        "INFERENCE_NUM_THREADS": str(THREADS),
        "PERFORMANCE_HINT": "THROUGHPUT" if workers > 1 else "LATENCY",
    }
    compiled = core.compile_model(small if int8 else plain, "CPU", settings)
    width = compiled.output(0).partial_shape[1].get_length()

    def encode(rows: Rows, tokens: int) -> np.ndarray:
        out = np.empty((len(rows.ids), width), np.float32)
        waiting = ov.AsyncInferQueue(compiled, workers)
        waiting.set_callback(lambda request, part: out.__setitem__(part, request.get_output_tensor(0).data))
        for part in _groups(rows.lengths, tokens):
            padded, mask = _pad([rows.ids[row] for row in part])
            waiting.start_async({"input_ids": padded, "attention_mask": mask}, userdata=part)
        waiting.wait_all()
        return out

    request = compiled.create_infer_request()

    def one(rows: Rows) -> np.ndarray:
        ids, mask = _pad(rows.ids)
        return np.array(request.infer({"input_ids": ids, "attention_mask": mask})[0])

    return lambda rows, tokens: one(rows) if len(rows.ids) == 1 else encode(rows, tokens)


def _openvino_graph(folder: Path) -> Any:
    import openvino as ov

    ids = torch.ones(2, 9, dtype=torch.long)
    with torch.no_grad():
        return ov.convert_model(
            _Pooled(AutoModel.from_pretrained(folder).eval()),
            example_input={"input_ids": ids, "attention_mask": ids},
            input=[("input_ids", [-1, -1], ov.Type.i64), ("attention_mask", [-1, -1], ov.Type.i64)],
        )


def _quantized(graph: Any, tokenizer: Callable) -> Any:
    """Quantise an OpenVINO graph to int8 with NNCF, calibrated on tweets, as its documentation does."""
    import nncf

    lines = (SHARED_DATA / "emotion" / "train.txt").read_text("utf-8").splitlines()[:INT8_TEXTS]
    batches = [_pad([ids]) for ids in tokenizer([line.rpartition(";")[0] for line in lines])["input_ids"]]
    shown = nncf.Dataset([{"input_ids": ids, "attention_mask": mask} for ids, mask in batches])
    return nncf.quantize(graph, shown, model_type=nncf.ModelType.TRANSFORMER, subset_size=INT8_TEXTS)


def _from_texts(encode: EncodeTexts) -> Encode:
    return lambda rows, _: encode(rows.texts)


class _Pooled(torch.nn.Module):
    """A model that gives mean-pooled vectors, for exporters."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return masked_mean(self.model, input_ids, attention_mask)


def _export_onnx(folder: Path, target: Path) -> None:
    ids = torch.ones(2, 9, dtype=torch.long)
    names = ["input_ids", "attention_mask"]
    model = _Pooled(AutoModel.from_pretrained(folder, attn_implementation="eager").eval())
    axes = {name: {0: "batch", 1: "length"} for name in names}
    torch.onnx.export(model, (ids, ids), target, input_names=names, dynamic_axes=axes, opset_version=17, dynamo=False)


def _in_batches(workers: int, compute: Compute) -> Encode:
    """Let workers compute batch after batch."""

    def encode(rows: Rows, tokens: int) -> np.ndarray:
        parts = list(_groups(rows.lengths, tokens))
        # torch gives a new thread the number that holds when it first computes.
        before = torch.get_num_threads()
        torch.set_num_threads(THREADS // workers)
        try:
            if workers == 1 or len(parts) == 1:
                done = [compute(*_pad([rows.ids[row] for row in part])) for part in parts]
            else:
                with ThreadPoolExecutor(workers) as pool:
                    done = list(pool.map(lambda part: compute(*_pad([rows.ids[row] for row in part])), parts))
        finally:
            torch.set_num_threads(before)
        out = np.empty((len(rows.ids), done[0].shape[1]), np.float32)
        for part, vectors in zip(parts, done, strict=True):
            out[part] = vectors
        return out

    return encode


def _groups(lengths: Sequence[int] | np.ndarray, token_budget: int) -> Iterator[np.ndarray]:
    """Yield rows of similar lengths whose padded size keeps the budget, the longest first."""
    order = np.argsort(-np.asarray(lengths), kind="stable")
    start = 0
    while start < len(order):
        stop = start + max(1, token_budget // int(lengths[order[start]]))
        yield order[start:stop]
        start = stop


def _pad(id_lists: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    longest = max(map(len, id_lists))
    ids, mask = (np.zeros((len(id_lists), longest), dtype=np.int64) for _ in range(2))
    for row, one in enumerate(id_lists):
        ids[row, : len(one)] = one
        mask[row, : len(one)] = 1
    return ids, mask
