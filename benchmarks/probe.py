"""How long does the whole fit of a probe take beside the encoding of its texts, and beside one fit of scikit-learn?

The encoding is that of all 16,000 texts by the engine that limbeck chooses, without a cache. Our fit does the whole
job: standardisation, five folds for every penalty tried, out-of-fold probabilities, the fit on all rows.
scikit-learn's LogisticRegression does one fit, at the penalty that ours chose, on the same features already
standardised, in float32, with its default solver (lbfgs) and room to converge. Both objectives are worked out in
float64: a faster, worse answer shows.

    python benchmarks/probe.py [--cases cls mean last layers] [--rounds 5] [--peer-rounds-wide 1]

Emotion's 16,000 training tweets, embedded encoder: 384 columns ([CLS] or mean of the last layer), 1,152 (its mean, max
and [CLS]), 8,064 (those of every layer).
"""

import argparse
import os
import resource
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import torch
from measure import SHARED_DATA, alternate, summary, write_result
from sklearn.linear_model import LogisticRegression

import limbeck
from limbeck.linear.fit import ProbeFit, ProbeRows, fit_probe
from limbeck.settings import ProbeSettings

WIDTH = 384
POOLINGS = 3
LAYERS = 7
CASES = ("cls", "mean", "last", "layers")
POOLING = {"cls": "cls", "mean": "mean", "last": "layers", "layers": "layers"}
"""What is encoded for a case; no pooling gives the last layer's three alone."""
LABELS = ("sadness", "joy", "love", "anger", "fear", "surprise")
OURS, ENCODING, PEER = "limbeck, whole fit", "limbeck, encoding", "scikit-learn, one fit"


def columns_of(case: str) -> slice:
    """Return the columns of a case among those of every layer; a layer's are its mean, max and [CLS]."""
    last = (LAYERS - 1) * POOLINGS * WIDTH
    return {
        "mean": slice(last, last + WIDTH),
        "cls": slice(last + 2 * WIDTH, None),
        "last": slice(last, None),
        "layers": slice(0, None),
    }[case]


class Clock:
    """Processor seconds of calls, beside the wall's that `alternate` takes."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}

    def timed(self, name: str, run: Callable[[], object]) -> Callable[[], None]:
        """Return the call, timed."""

        def call() -> None:
            started = time.process_time()
            run()
            self.seconds.setdefault(name, []).append(time.process_time() - started)

        return call


def objective(
    weight_CF: np.ndarray, bias_C: np.ndarray, features_NF: np.ndarray, labels_N: np.ndarray, c: float
) -> float:
    """Work out C · Σ cross-entropy + ½ ‖W‖² in float64, a block of rows at a time."""
    loss = 0.0
    for start in range(0, len(features_NF), 1000):
        logits = features_NF[start : start + 1000].astype(np.float64) @ weight_CF.T.astype(np.float64) + bias_C
        logits -= logits.max(1, keepdims=True)
        label = labels_N[start : start + 1000]
        loss += (np.log(np.exp(logits).sum(1)) - logits[np.arange(len(label)), label]).sum()
    return float(c * loss + 0.5 * (weight_CF.astype(np.float64) ** 2).sum())


def measure(
    raw_NF: np.ndarray, labels_N: np.ndarray, encode: Callable[[], object], *, rounds: int, peer_rounds: int
) -> dict[str, object]:
    """Race fit, encoding and scikit-learn on one set of columns."""
    mean_F, scale_F = raw_NF.mean(0, dtype=np.float64), raw_NF.std(0, dtype=np.float64)
    constant_F = scale_F < 1e-6
    scale_F[constant_F] = 1.0
    standard_NF = ((raw_NF - mean_F) / scale_F).astype(np.float32)
    fits: list[ProbeFit] = []
    peers: list[LogisticRegression] = []

    def ours() -> None:
        fits.append(fit_probe(raw_NF, ProbeRows(labels_N=labels_N, label_names=LABELS), settings=ProbeSettings()))

    def scikit_learn() -> None:
        peers.append(LogisticRegression(C=fits[-1].penalty, max_iter=5000).fit(standard_NF, labels_N))

    clock = Clock()
    contestants = {OURS: clock.timed(OURS, ours), ENCODING: clock.timed(ENCODING, encode)}
    # scikit-learn takes part in the first rounds only where it is slow.
    seconds = alternate({**contestants, PEER: clock.timed(PEER, scikit_learn)}, rounds=peer_rounds)
    seconds = {name: values for name, values in seconds.items() if values} or {name: [] for name in contestants}
    for name, values in alternate(contestants, rounds=rounds - peer_rounds).items():
        seconds[name] += values
    ratios = sorted(fit_s / encode_s for fit_s, encode_s in zip(seconds[OURS], seconds[ENCODING], strict=True))
    fit = fits[-1]
    # The head is on raw features: back on the standardised ones it is W · scale and b + W · mean.
    ours_CF = fit.weight_CF.astype(np.float64) * scale_F
    ours_C = fit.bias_C + fit.weight_CF.astype(np.float64) @ mean_F
    found = {OURS: objective(ours_CF, ours_C, standard_NF, labels_N, fit.penalty)}
    beside: dict[str, object] = {}
    if peers:
        found[PEER] = objective(peers[-1].coef_, peers[-1].intercept_, standard_NF, labels_N, fit.penalty)
        beside["limbeck_lower_by"] = (found[PEER] - found[OURS]) / found[OURS]
        beside["scikit_learn_iterations"] = int(peers[-1].n_iter_.max())
    return {
        "columns": raw_NF.shape[1],
        "rounds": rounds,
        "seconds": summary(seconds, ours=OURS),
        "processor_seconds": summary(clock.seconds, ours=OURS),
        "fit_by_encoding": {
            "median": round(statistics.median(ratios), 3),
            "lowest": round(ratios[0], 3),
            "highest": round(ratios[-1], 3),
        },
        "objective": found,
        **beside,
        "limbeck_bound_on_gap": fit.gap,
        "limbeck_fits": len(fit.scores) * 6,
        "scores": [asdict(score) for score in fit.scores],
        "penalty": fit.penalty,
        "out_of_fold_accuracy": float((fit.out_of_fold_NC.argmax(1) == labels_N).mean()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--peer-rounds-wide", type=int, default=1, help="rounds of scikit-learn on 8,064 columns, where it is slow"
    )
    arguments = parser.parse_args()
    rows = limbeck.read(SHARED_DATA / "emotion").split("train")
    labels_N = rows.labels.astype(np.int64)
    encoder = limbeck.load_encoder("minilm")
    features_NF = encoder.encode(rows.texts, pooling="layers")
    ratios = {}
    result: dict[str, object] = {
        "question": __doc__.splitlines()[0],
        "rows": len(labels_N),
        "classes": 6,
        "torch_threads": torch.get_num_threads(),
        "openmp_settings": {name: value for name, value in os.environ.items() if name.startswith("OMP_")},
        "load_average_before": os.getloadavg(),
        "rounds_said": f"{arguments.rounds} alternating; scikit-learn on 8,064 columns {arguments.peer_rounds_wide}",
    }
    for case in arguments.cases:
        columns_NF = np.ascontiguousarray(features_NF[:, columns_of(case)])
        found = measure(
            columns_NF,
            labels_N,
            lambda case=case: encoder.encode(rows.texts, pooling=POOLING[case]),
            rounds=arguments.rounds,
            peer_rounds=arguments.peer_rounds_wide if case == "layers" else arguments.rounds,
        )
        result[case] = found
        ratios[case] = found["fit_by_encoding"]
    result["peak_memory_gib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)
    print("whole fit by encoding:", ", ".join(f"{case} {ratio['median']}" for case, ratio in ratios.items()), end="; ")
    print(write_result("probe", result, packages=["limbeck", "torch", "scikit-learn", "numpy"]))


if __name__ == "__main__":
    main()
