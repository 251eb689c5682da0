"""The arithmetic of DistilBERT at its own size: 12 layers of BERT-base against 6, in parameters and in seconds.

Weights are drawn: what a model says does not matter for how long it takes. Both sides answer the same token batches in
turn, in float32 with plain torch and with the engine that `precision="bfloat16"` gives on this machine.

    python benchmarks/distil_base.py [--texts 64] [--tokens 128] [--rounds 5]

Writes benchmarks/results/distil_base.json.
"""

import argparse
import statistics
from functools import partial
from typing import Any

import numpy as np
import torch
from measure import alternate, write_result

from limbeck.catalog.presets import load_encoder_folder
from limbeck.inference.choice import open_engine
from limbeck.model.blocks import blocks_for
from limbeck.model.config import EncoderConfig
from limbeck.model.encoder import Encoder
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.model.student import StudentShape, count_costs, make_student, taken_layers
from limbeck.model.weights import fingerprint_of
from limbeck.tokens import Tokenized

BERT_BASE = EncoderConfig(n_layers=12)
POOLER_AND_TYPES = 768 * 768 + 768 + 2 * 768
"""What BERT-base has beside a DistilBERT of twelve layers: the pooler and two token types."""
SHAPE = StudentShape(layers=6)


def base_teacher() -> LoadedEncoder:
    """Draw an encoder of BERT-base's shape; the tokenizer is the embedded encoder's, which has the same vocabulary."""
    torch.manual_seed(0)
    encoder = Encoder(BERT_BASE).eval()
    tokenizer = load_encoder_folder("minilm").tokenizer
    return LoadedEncoder(name="drawn", tokenizer=tokenizer, encoder=encoder, fingerprint=fingerprint_of(encoder))


def measure(texts: int, tokens: int, rounds: int) -> dict[str, Any]:
    """Count and time both sizes."""
    teacher = base_teacher()
    student = make_student(teacher, SHAPE)
    large, small = count_costs(teacher.config, tokens=tokens), count_costs(student.config, tokens=tokens)
    drawn = Tokenized(
        ids=np.random.default_rng(0).integers(1000, 30000, texts * tokens, dtype=np.int32),
        offsets=np.arange(0, (texts + 1) * tokens, tokens, dtype=np.int64),
        cut_tokens=np.zeros(texts, np.int32),
    )
    speed = {}
    for precision in ("float32", "bfloat16"):
        engines = {name: open_engine(one, precision=precision) for name, one in (("12", teacher), ("6", student))}
        calls = {
            name: partial(engine.features, drawn, blocks_for("cls", None, engine.layers))
            for name, engine in engines.items()
        }
        alternate(calls, rounds=1)
        seconds = alternate(calls, rounds=rounds)
        medians = {name: statistics.median(values) for name, values in seconds.items()}
        speed[precision] = {
            "engine": engines["6"].numerics,
            "texts_per_s": {name: round(texts / median, 1) for name, median in medians.items()},
            "speedup": round(medians["12"] / medians["6"], 3),
        }
    bert = large.parameters + POOLER_AND_TYPES
    return {
        "layers_taken": list(taken_layers(teacher.config, SHAPE)),
        "parameters": {"bert_base": bert, "student": small.parameters},
        "fewer_parameters": round(1 - small.parameters / bert, 4),
        "speedup_by_counting": round(large.multiplications_per_token / small.multiplications_per_token, 3),
        "texts": texts,
        "tokens_a_text": tokens,
        "rounds": rounds,
        "speed": speed,
        "paper": {"fewer_parameters": 0.40, "faster": 0.60},
    }


def main() -> None:
    """Measure, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    path = write_result("distil_base", measure(given.texts, given.tokens, given.rounds), packages=("torch", "numpy"))
    print(path.read_text("utf-8"))


if __name__ == "__main__":
    main()
