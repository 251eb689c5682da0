"""How long does the whole fit of a probe take beside one fit of scikit-learn's LogisticRegression?

Ours does the whole job: five folds for every penalty tried, out-of-fold probabilities, the fit on all rows.
scikit-learn does one fit, at the penalty that ours chose, on the same features already standardised, in float32,
with its default solver (lbfgs) and room to converge. Both objectives are worked
out in float64: a faster, worse answer shows.

    python benchmarks/probe.py [--cases cls mean last layers] [--rounds 5] [--wide-rounds 1]

Emotion's 16,000 training tweets, embedded encoder: 384 columns ([CLS] or mean of the last layer), 1,152 (its mean, max
and [CLS]), 8,064 (those of every layer).
"""

import argparse
import os
import resource
import time

import numpy as np
import torch
from measure import SHARED_DATA, alternate, summary, write_result
from sklearn.linear_model import LogisticRegression

import limbeck
from limbeck.settings import ProbeSettings
from limbeck.training.probe import ProbeFit, fit_probe

WIDTH = 384
POOLINGS = 3
LAYERS = 7
CASES = ("cls", "mean", "last", "layers")


def columns_of(case: str) -> slice:
    """Return the columns of a case among those of every layer; a layer's are its mean, max and [CLS]."""
    last = (LAYERS - 1) * POOLINGS * WIDTH
    return {
        "mean": slice(last, last + WIDTH),
        "cls": slice(last + 2 * WIDTH, None),
        "last": slice(last, None),
        "layers": slice(0, None),
    }[case]


def extract() -> tuple[np.ndarray, np.ndarray, float]:
    """Return the features of every layer, labels, and the seconds that the encoding took."""
    rows = limbeck.read(SHARED_DATA / "emotion").split("train")
    encoder = limbeck.load_encoder("minilm")
    started = time.perf_counter()
    features_NF = encoder.encode(rows.texts, pooling="layers")
    return features_NF, rows.labels.astype(np.int64), time.perf_counter() - started


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


def measure(raw_NF: np.ndarray, labels_N: np.ndarray, rounds: int) -> dict[str, object]:
    """Race the two on one set of columns."""
    mean_F, scale_F = raw_NF.mean(0, dtype=np.float64), raw_NF.std(0, dtype=np.float64)
    constant_F = scale_F < 1e-6
    scale_F[constant_F] = 1.0
    standard_NF = ((raw_NF - mean_F) / scale_F).astype(np.float32)
    fits: list[ProbeFit] = []
    peers: list[LogisticRegression] = []

    def ours() -> None:
        fits.append(fit_probe(raw_NF, labels_N, classes=6, settings=ProbeSettings()))

    def scikit_learn() -> None:
        peers.append(LogisticRegression(C=fits[-1].penalty, max_iter=5000).fit(standard_NF, labels_N))

    seconds = alternate({"limbeck, whole fit": ours, "scikit-learn, one fit": scikit_learn}, rounds=rounds)
    fit, peer = fits[-1], peers[-1]
    # The head is on raw features: back on the standardised ones it is W · scale and b + W · mean.
    ours_CF = fit.weight_CF.astype(np.float64) * scale_F
    ours_C = fit.bias_C + fit.weight_CF.astype(np.float64) @ mean_F
    found = {
        "limbeck, whole fit": objective(ours_CF, ours_C, standard_NF, labels_N, fit.penalty),
        "scikit-learn, one fit": objective(peer.coef_, peer.intercept_, standard_NF, labels_N, fit.penalty),
    }
    return {
        "columns": raw_NF.shape[1],
        "rounds": rounds,
        "seconds": summary(seconds, ours="limbeck, whole fit"),
        "objective": found,
        "limbeck_lower_by": (found["scikit-learn, one fit"] - found["limbeck, whole fit"])
        / found["limbeck, whole fit"],
        "limbeck_bound_on_gap": fit.gap,
        "limbeck_fits": len(fit.scores) * 5 + 6,
        "penalty": fit.penalty,
        "out_of_fold_accuracy": float((fit.out_of_fold_NC.argmax(1) == labels_N).mean()),
        "scikit_learn_iterations": int(peer.n_iter_.max()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--wide-rounds", type=int, default=1, help="rounds of 8,064 columns, where scikit-learn is slow"
    )
    arguments = parser.parse_args()
    features_NF, labels_N, encode_s = extract()
    result: dict[str, object] = {
        "question": __doc__.splitlines()[0],
        "rows": len(labels_N),
        "classes": 6,
        "encoding_s": round(encode_s, 1),
        "torch_threads": torch.get_num_threads(),
        "openmp_settings": {name: value for name, value in os.environ.items() if name.startswith("OMP_")},
        "load_average_before": os.getloadavg(),
        "rounds_said": f"{arguments.rounds} alternating rounds; {arguments.wide_rounds} of 8,064 columns",
    }
    for case in arguments.cases:
        columns_NF = np.ascontiguousarray(features_NF[:, columns_of(case)])
        rounds = arguments.wide_rounds if case == "layers" else arguments.rounds
        result[case] = measure(columns_NF, labels_N, rounds)
        print(case, result[case])
    result["peak_memory_gib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)
    print(write_result("probe", result, packages=["limbeck", "torch", "scikit-learn", "numpy"]))


if __name__ == "__main__":
    main()
