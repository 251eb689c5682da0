"""Does encoding leak? 100,000 texts of 3 to 512 tokens through one engine, 1 to 400 texts a call, as services get them.

Resident memory of the process is read after each twentieth of the work; the first is the warm-up. Writes
benchmarks/results/memory.json.

    python benchmarks/memory.py [--texts N]
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from measure import write_result

from limbeck.catalog.presets import load_encoder_folder
from limbeck.inference.choice import open_engine
from limbeck.model.blocks import blocks_for
from limbeck.tokens import Tokenized

READINGS = 20
MOST_TEXTS_A_CALL = 400


def resident_mib() -> float:
    """Return the resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def draw_texts(count: int, draw: np.random.Generator, vocab_size: int) -> Tokenized:
    """Draw texts of 3 to 512 tokens, most of them short."""
    lengths = np.clip(np.exp(draw.uniform(np.log(3), np.log(513), count)).astype(np.int64), 3, 512)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    ids = draw.integers(0, vocab_size, int(offsets[-1]), dtype=np.int32)
    return Tokenized(ids=ids, offsets=offsets, cut_tokens=np.zeros(count, np.int32))


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=100_000)
    arguments = parser.parse_args()
    loaded = load_encoder_folder("minilm")
    engine = open_engine(loaded, device="cpu")
    blocks = blocks_for("mean", None, engine.layers)
    draw = np.random.default_rng(0)
    readings, done, tokens, started = [round(resident_mib(), 1)], 0, 0, time.perf_counter()
    while done < arguments.texts:
        count = min(int(draw.integers(1, MOST_TEXTS_A_CALL + 1)), arguments.texts - done)
        texts = draw_texts(count, draw, loaded.config.vocab_size)
        engine.features(texts, blocks)
        done, tokens = done + count, tokens + len(texts.ids)
        if done * READINGS // arguments.texts >= len(readings):
            readings.append(round(resident_mib(), 1))
    result: dict[str, Any] = {
        "engine": engine.numerics,
        "texts": done,
        "tokens": tokens,
        "seconds": round(time.perf_counter() - started, 1),
        "resident_mib": {"before": readings[0], "after_warm_up": readings[1], "end": readings[-1]},
        "growth_after_warm_up_mib": round(readings[-1] - readings[1], 1),
        "peak_after_warm_up_mib": max(readings[1:]),
        "readings_mib": readings,
    }
    print(json.dumps(result))
    print(f"written to {write_result('memory', result, packages=['limbeck', 'torch'])}")


if __name__ == "__main__":
    main()
