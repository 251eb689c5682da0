"""The contestants of `encode.py`: each turns a list of strings into mean-pooled vectors of the last hidden state.

In: a model folder in DistilBERT's layout. Out: calls that take texts and give float32 (N, D). Each is used as its own
documentation shows, with two threads, at the batch sizes that serve it best here; those that gain from sorted texts get
them sorted. It does not know what is measured.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measure import SHARED_DATA
from transformers import AutoModel, AutoTokenizer, DistilBertModel

Encode = Callable[[Sequence[str]], np.ndarray]
MAX_TOKENS = 512


def limbeck(folder: Path, precision: str) -> Encode:
    """Ours, by the public call."""
    from limbeck.features.text_encoder import load_encoder

    encoder = load_encoder(folder, device="cpu", precision=precision)
    return lambda texts: encoder.encode(texts, pooling="mean")


def course(folder: Path) -> Encode:
    """The course's way: `datasets.map` over everything padded to the longest, float32, batches of 64."""
    from datasets import Dataset, disable_progress_bars

    disable_progress_bars()
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()

    def tokenize(batch: dict) -> dict:
        return tokenizer(batch["text"], padding=True, truncation=True, max_length=MAX_TOKENS)

    def hidden(batch: dict) -> dict:
        with torch.no_grad():
            return {"vector": _mean(model, batch["input_ids"], batch["attention_mask"]).numpy()}

    def encode(texts: Sequence[str]) -> np.ndarray:
        data = Dataset.from_dict({"text": list(texts)})
        data = data.map(tokenize, batched=True, batch_size=None, load_from_cache_file=False)
        data.set_format("torch", columns=["input_ids", "attention_mask"])
        data = data.map(hidden, batched=True, batch_size=64, load_from_cache_file=False, keep_in_memory=True)
        data.set_format("numpy", columns=["vector"])
        return np.asarray(data["vector"][:])

    return encode


def pipeline(folder: Path, dtype: torch.dtype) -> Encode:
    """`transformers.pipeline("feature-extraction")`, batches of 32."""
    from transformers import pipeline as make

    extract = make(
        "feature-extraction",
        model=DistilBertModel.from_pretrained(folder, dtype=dtype).eval(),
        tokenizer=AutoTokenizer.from_pretrained(folder),
        device="cpu",
        batch_size=32,
        tokenize_kwargs={"truncation": True, "max_length": MAX_TOKENS},
        return_tensors=True,
    )
    # The pipeline gives padded states without their mask, so its mean takes the padding in: only its speed counts.
    return lambda texts: np.stack([one[0].float().mean(0).numpy() for one in extract(list(texts))])


def sentence_transformers(folder: Path, dtype: torch.dtype) -> Encode:
    """sentence-transformers, which sorts by length itself."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer

    words = Transformer(str(folder), max_seq_length=MAX_TOKENS)
    model = SentenceTransformer(modules=[words, Pooling(words.get_word_embedding_dimension())], device="cpu").to(dtype)
    return lambda texts: model.encode(list(texts), batch_size=32, convert_to_numpy=True).astype(np.float32)


def transformers_sorted(folder: Path, dtype: torch.dtype, *, autocast: bool = False) -> Encode:
    """A careful user's `transformers`: sorted by length, 2,048 padded tokens a batch."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, dtype=dtype).eval()

    def run(ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            return _mean(model, torch.from_numpy(ids), torch.from_numpy(mask)).float().numpy()

    return lambda texts: _sorted_batches(tokenizer, texts, run, 2048)


def compiled_transformers(folder: Path) -> Encode:
    """`torch.compile` over bf16 weights, frozen, for any shape; sorted by length, 2,048 padded tokens a batch."""
    import torch._inductor.config as inductor

    inductor.freezing = True
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModel.from_pretrained(folder, dtype=torch.bfloat16).eval()
    # One text, or one token, would be a shape of its own: such batches go the plain way.
    compiled = torch.compile(model, dynamic=True)

    def run(ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        chosen = model if 1 in ids.shape else compiled
        with torch.inference_mode():
            return _mean(chosen, torch.from_numpy(ids), torch.from_numpy(mask)).float().numpy()

    return lambda texts: _sorted_batches(tokenizer, texts, run, 2048)


def onnxruntime(folder: Path, *, int8: bool) -> Encode:
    """ONNX Runtime, sorted by length, 1,024 padded tokens a batch."""
    import onnxruntime as ort
    from onnxruntime.quantization import QuantType, quantize_dynamic

    plain, small = folder / "model.onnx", folder / "model-int8.onnx"
    if not plain.exists():
        _export_onnx(folder, plain)
    if int8 and not small.exists():
        quantize_dynamic(plain, small, weight_type=QuantType.QInt8)
    options = ort.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = ort.InferenceSession(small if int8 else plain, options, providers=["CPUExecutionProvider"])
    tokenizer = AutoTokenizer.from_pretrained(folder)

    def run(ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return session.run(None, {"input_ids": ids, "attention_mask": mask})[0]

    return lambda texts: _sorted_batches(tokenizer, texts, run, 1024)


def ctranslate2(folder: Path, *, compute_type: str) -> Encode:
    """CTranslate2, sorted by length, 1,024 tokens a batch, two workers of one thread."""
    import ctranslate2 as ct2

    target = folder / "ctranslate2"
    if not target.exists():
        ct2.converters.TransformersConverter(str(folder)).convert(str(target))
    encoder = ct2.Encoder(str(target), compute_type=compute_type, inter_threads=2, intra_threads=1)
    tokenizer = AutoTokenizer.from_pretrained(folder)

    def encode(texts: Sequence[str]) -> np.ndarray:
        ids = tokenizer(list(texts), truncation=True, max_length=MAX_TOKENS)["input_ids"]
        out = np.empty((len(ids), encoder.forward_batch([ids[0]]).last_hidden_state.shape[2]), np.float32)
        pending = []
        for rows in _groups([len(one) for one in ids], 1024):
            done = encoder.forward_batch([ids[row] for row in rows])
            pending.append((rows, np.array(done.last_hidden_state, dtype=np.float32)))
        for rows, hidden in pending:
            for place, row in enumerate(rows):
                out[row] = hidden[place, : len(ids[row])].mean(0)
        return out

    return encode


def openvino(folder: Path, *, hint: str, token_budget: int = 1024, int8: bool = False) -> Encode:
    """OpenVINO: precision by hint or int8 after training, sorted by length, two streams, asynchronous."""
    import openvino as ov

    ids = torch.ones(2, 9, dtype=torch.long)
    shape = [("input_ids", [-1, -1], ov.Type.i64), ("attention_mask", [-1, -1], ov.Type.i64)]
    with torch.no_grad():
        graph = ov.convert_model(
            _Pooled(AutoModel.from_pretrained(folder).eval()),
            example_input={"input_ids": ids, "attention_mask": ids},
            input=shape,
        )
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if int8:
        graph = _quantized(graph, tokenizer)
    compiled = ov.Core().compile_model(
        graph,
        "CPU",
        {
            "INFERENCE_PRECISION_HINT": hint,
            "NUM_STREAMS": "2",
            "INFERENCE_NUM_THREADS": "2",
            "PERFORMANCE_HINT": "THROUGHPUT",
        },
    )
    width = compiled.output(0).partial_shape[1].get_length()

    def encode(texts: Sequence[str]) -> np.ndarray:
        ids = tokenizer(list(texts), truncation=True, max_length=MAX_TOKENS)["input_ids"]
        out = np.empty((len(ids), width), np.float32)
        waiting = ov.AsyncInferQueue(compiled, 2)
        waiting.set_callback(lambda request, rows: out.__setitem__(rows, request.get_output_tensor(0).data))
        for rows in _groups([len(one) for one in ids], token_budget):
            padded, mask = _pad([ids[row] for row in rows])
            waiting.start_async({"input_ids": padded, "attention_mask": mask}, userdata=rows)
        waiting.wait_all()
        return out

    return encode


def _quantized(graph: Any, tokenizer: Callable) -> Any:
    """Quantise an OpenVINO graph to int8 with NNCF, calibrated on 300 tweets, as its documentation does."""
    import nncf

    lines = (SHARED_DATA / "emotion" / "train.txt").read_text("utf-8").splitlines()[:300]
    batches = [_pad([ids]) for ids in tokenizer([line.rpartition(";")[0] for line in lines])["input_ids"]]
    shown = nncf.Dataset([{"input_ids": ids, "attention_mask": mask} for ids, mask in batches])
    return nncf.quantize(graph, shown, model_type=nncf.ModelType.TRANSFORMER, subset_size=300)


def contestants(folder: Path) -> dict[str, Callable[[], Encode]]:
    """Return every contestant by name; each is made when it is called."""
    half, full = torch.bfloat16, torch.float32
    return {
        "limbeck": lambda: limbeck(folder, "auto"),
        "limbeck float32": lambda: limbeck(folder, "float32"),
        "OpenVINO bf16, sorted, 2 streams": lambda: openvino(folder, hint="bf16"),
        "OpenVINO bf16, sorted, 2 streams, 2048": lambda: openvino(folder, hint="bf16", token_budget=2048),
        "OpenVINO int8, sorted, 2 streams": lambda: openvino(folder, hint="bf16", int8=True),
        "transformers bf16, sorted": lambda: transformers_sorted(folder, half),
        "transformers autocast, sorted": lambda: transformers_sorted(folder, full, autocast=True),
        "transformers bf16, sorted, torch.compile": lambda: compiled_transformers(folder),
        "transformers float32, sorted": lambda: transformers_sorted(folder, full),
        "sentence-transformers bf16": lambda: sentence_transformers(folder, half),
        "sentence-transformers float32": lambda: sentence_transformers(folder, full),
        "pipeline bf16": lambda: pipeline(folder, half),
        "pipeline float32": lambda: pipeline(folder, full),
        "ONNX Runtime float32": lambda: onnxruntime(folder, int8=False),
        "ONNX Runtime int8": lambda: onnxruntime(folder, int8=True),
        "CTranslate2 float32": lambda: ctranslate2(folder, compute_type="float32"),
        "CTranslate2 int8": lambda: ctranslate2(folder, compute_type="int8"),
        "the course's way": lambda: course(folder),
    }


class _Pooled(torch.nn.Module):
    """A model that gives mean-pooled vectors, for exporters."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return _mean(self.model, input_ids, attention_mask)


def _mean(model: torch.nn.Module, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * weights).sum(1) / weights.sum(1)


def _export_onnx(folder: Path, target: Path) -> None:
    ids = torch.ones(2, 9, dtype=torch.long)
    names = ["input_ids", "attention_mask"]
    model = _Pooled(AutoModel.from_pretrained(folder, attn_implementation="eager").eval())
    axes = {name: {0: "batch", 1: "length"} for name in names}
    torch.onnx.export(model, (ids, ids), target, input_names=names, dynamic_axes=axes, opset_version=17, dynamo=False)


def _groups(lengths: Sequence[int], token_budget: int) -> Iterator[np.ndarray]:
    """Yield rows of similar lengths whose padded size keeps the budget."""
    order = np.argsort(lengths, kind="stable")
    start = 0
    while start < len(order):
        stop = start + 1
        while stop < len(order) and lengths[order[stop]] * (stop + 1 - start) <= token_budget:
            stop += 1
        yield order[start:stop]
        start = stop


def _pad(id_lists: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    longest = max(map(len, id_lists))
    ids, mask = (np.zeros((len(id_lists), longest), dtype=np.int64) for _ in range(2))
    for row, one in enumerate(id_lists):
        ids[row, : len(one)] = one
        mask[row, : len(one)] = 1
    return ids, mask


def _sorted_batches(
    tokenizer: Callable, texts: Sequence[str], run: Callable[..., np.ndarray], token_budget: int
) -> np.ndarray:
    ids = tokenizer(list(texts), truncation=True, max_length=MAX_TOKENS)["input_ids"]
    found: dict[int, np.ndarray] = {}
    for rows in _groups([len(one) for one in ids], token_budget):
        vectors = run(*_pad([ids[row] for row in rows]))
        found.update(zip(rows.tolist(), vectors, strict=True))
    return np.stack([found[row] for row in range(len(ids))])
