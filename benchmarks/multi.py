"""How long does a probe of 136 labels take beside scikit-learn's OneVsRest, and is it any better?

Debian's package descriptions and their tags of 100 rows or more, embedded encoder, the mean of every layer (2,688
columns), or three poolings of each (--pooling layers, 8,064 columns). Our fit does the whole job: standardisation, five
folds for every penalty tried, a penalty for each label, out-of-fold probabilities, the fit on all rows, and a threshold
for each label. scikit-learn does one fit, OneVsRestClassifier(LogisticRegression), at the penalty that ours chose most
often, on the same features already standardised, in float32, with its default solver and room to converge; of
--peer-labels labels, from the most frequent to the rarest, where all would take hours. Of a few labels scikit-learn
does our job, too: LogisticRegressionCV over the same penalties and folds. Ours is also fitted at the usual penalty
alone, folds included. The objectives of some labels at our penalty are worked out in float64: a faster, worse answer
shows. All are judged on the test split, on the labels that both have fitted; ours on all labels as well.

    python benchmarks/multi.py [--rows 4000] [--rounds 1] [--max-tokens 512] [--pooling layers] [--peer-labels 17]

Writes benchmarks/results/multi.json; multi-ROWS.json of fewer rows.
"""

import argparse
import os
import resource
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
from measure import SHARED_DATA, alternate, summary, write_result
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.metrics import average_precision_score, f1_score
from sklearn.multiclass import OneVsRestClassifier

from limbeck.evaluation.label_thresholds import choose_label_thresholds
from limbeck.features.cache import FeatureCache
from limbeck.features.extraction import extract_features
from limbeck.features.text_encoder import load_encoder
from limbeck.linear.label_fit import LabelFit, LabelRows, fit_label_probe
from limbeck.model.blocks import Block, blocks_for
from limbeck.settings import ProbeSettings
from limbeck.tokens import Window

FEWEST_ROWS = 100
COMPARED_LABELS = 8
"""Labels, from the most frequent to the rarest, whose objective is compared."""
SEARCHED_LABELS = 4
"""Labels of which scikit-learn searches the penalty."""
OURS, ONE = "limbeck, whole fit", "limbeck, usual penalty"
PEER, SEARCH = "scikit-learn, one fit", "scikit-learn, search"


def read_rows(limit: int | None) -> tuple[list[str], np.ndarray, np.ndarray, tuple[str, ...]]:
    """Return texts, splits, targets and names of the rows that have tags; `limit` of them, drawn."""
    table = pq.read_table(SHARED_DATA / "debian" / "packages.en.parquet", columns=["text", "split", "tags"])
    tags = table["tags"].to_pylist()
    counts = Counter(tag for row in tags for tag in row or ())
    names = tuple(sorted(tag for tag, rows in counts.items() if rows >= FEWEST_ROWS))
    places = {name: place for place, name in enumerate(names)}
    rows = np.array([row for row, own in enumerate(tags) if own])
    if limit is not None:
        rows = np.sort(np.random.default_rng(0).permutation(rows)[:limit])
    targets_NL = np.zeros((len(rows), len(names)), dtype=bool)
    for place, row in enumerate(rows):
        targets_NL[place, [places[tag] for tag in tags[row] if tag in places]] = True
    texts, splits = table["text"].to_pylist(), np.array(table["split"].to_pylist())
    return [texts[row] for row in rows], splits[rows], targets_NL, names


def objective(weight_F: np.ndarray, bias: float, features_NF: np.ndarray, has_N: np.ndarray, c: float) -> float:
    """Work out C · Σ binary cross-entropy + ½ ‖w‖² in float64, a block of rows at a time."""
    loss = 0.0
    for start in range(0, len(features_NF), 1000):
        logits_B = features_NF[start : start + 1000].astype(np.float64) @ weight_F + bias
        loss += np.logaddexp(0, np.where(has_N[start : start + 1000], -logits_B, logits_B)).sum()
    return float(c * loss + 0.5 * (weight_F**2).sum())


def judge(shares_NL: np.ndarray, targets_NL: np.ndarray, cuts_L: np.ndarray) -> dict[str, float]:
    """Score probabilities on rows that nothing learned from; labels that no row has are left out."""
    there = targets_NL.any(axis=0)
    decided_NL = shares_NL[:, there] >= cuts_L[there]
    return {
        "f1_macro": float(f1_score(targets_NL[:, there], decided_NL, average="macro", zero_division=0)),
        "f1_micro": float(f1_score(targets_NL[:, there], decided_NL, average="micro", zero_division=0)),
        "auc_pr": float(average_precision_score(targets_NL[:, there], shares_NL[:, there], average="macro")),
    }


def shares_of(fit: LabelFit, features_NF: np.ndarray) -> np.ndarray:
    """Return what our layer says of raw features."""
    return 1 / (1 + np.exp(-(features_NF.astype(np.float64) @ fit.weight_LF.T.astype(np.float64) + fit.bias_L)))


def compare_objectives(
    fit: LabelFit, rows: LabelRows, standard_NF: np.ndarray, mean_F: np.ndarray, scale_F: np.ndarray
) -> dict[str, dict[str, float]]:
    """Fit some labels by scikit-learn at our penalties, and work out what both minimise."""
    found = {}
    for label in spread_labels(rows.targets_NL, COMPARED_LABELS):
        c, has_N = float(fit.penalty_L[label]), rows.targets_NL[:, label]
        peer = LogisticRegression(C=c, max_iter=5000).fit(standard_NF, has_N)
        weight_F = fit.weight_LF[label].astype(np.float64)
        bias = float(fit.bias_L[label] + weight_F @ mean_F)
        theirs = peer.coef_[0].astype(np.float64), float(peer.intercept_[0])
        found[rows.label_names[label]] = {
            "ours": objective(weight_F * scale_F, bias, standard_NF, has_N, c),
            "scikit_learn": objective(*theirs, standard_NF, has_N, c),
            "penalty": c,
            "rows": int(has_N.sum()),
        }
    return found


def spread_labels(targets_NL: np.ndarray, count: int) -> np.ndarray:
    """Return `count` labels, evenly from the most frequent to the rarest."""
    order_L = np.argsort(-targets_NL.sum(axis=0), kind="stable")
    return order_L[np.unique(np.linspace(0, len(order_L) - 1, min(count, len(order_L))).astype(int))]


def usual_of(fit: LabelFit) -> float:
    """Return the penalty that most labels have."""
    return float(Counter(fit.penalty_L.tolist()).most_common(1)[0][0])


def encode(texts: list[str], arguments: argparse.Namespace) -> np.ndarray:
    """Return the features of the texts; those that were computed before come from the cache."""
    engine = load_encoder("minilm").engine
    layers = range(engine.layers + 1)
    blocks = tuple(Block(layer=layer, pooling="mean") for layer in layers)
    if arguments.pooling == "layers":
        blocks = blocks_for("layers", None, engine.layers)
    window = Window(name="head", max_tokens=arguments.max_tokens)
    return extract_features(texts, engine, blocks, window=window, cache=FeatureCache(arguments.cache)).values_NF


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, help="rows with tags, drawn; all when not given")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--max-tokens", type=int, default=512)
    parser.add_argument("--pooling", choices=("mean", "layers"), default="mean", help="of every layer")
    parser.add_argument("--peer-labels", type=int, help="labels that scikit-learn fits; all when not given, 0 for none")
    parser.add_argument("--cache", help="folder of the feature cache; the user's when not given")
    parser.add_argument("--encode-only", action="store_true", help="fill the cache, and stop")
    return parser.parse_args()


def show(result: dict[str, Any]) -> None:
    """Print what was found."""
    for where, found in (("all labels", result["judged"]), (f"{result['peer_labels']} labels", result["compared"])):
        for name, figures in found.items():
            said = ", ".join(f"{figure} {value:.4f}" for figure, value in figures.items())
            print(f"{where}: {name}: {said}")
    for name, one in result["seconds"].items():
        print(f"{name}: {one['median_s']} s, {one['times_ours']} times ours")
    if PEER in result["seconds"]:
        labels, seconds = result["labels"], result["seconds"]
        fit_s = seconds[PEER]["median_s"] / result["peer_labels"] * labels
        search_s = seconds[SEARCH]["median_s"] / SEARCHED_LABELS * labels
        print(
            f"scikit-learn for {labels} labels, at its time per label: one fit {fit_s:.0f} s, search {search_s:.0f} s"
        )
    print(f"threshold per label: {result['threshold_gain']:.2f} times the macro F1 of 0.5;", end=" ")


def main() -> None:
    arguments = read_arguments()
    texts, splits, targets_NL, names = read_rows(arguments.rows)
    learnable = (targets_NL[splits == "train"].sum(axis=0) >= 10) & targets_NL[splits == "test"].any(axis=0)
    targets_NL, names = targets_NL[:, learnable], tuple(np.array(names)[learnable])
    features_NF = encode(texts, arguments)
    if arguments.encode_only:
        return
    train, test = splits == "train", splits == "test"
    raw_NF, test_NF = features_NF[train], features_NF[test]
    rows = LabelRows(targets_NL=targets_NL[train], label_names=names)
    peer_labels = spread_labels(rows.targets_NL, len(names) if arguments.peer_labels is None else arguments.peer_labels)
    fits: list[LabelFit] = []
    plain: list[LabelFit] = []
    peers: list[OneVsRestClassifier] = []
    mean_F, scale_F = raw_NF.mean(0, dtype=np.float64), raw_NF.std(0, dtype=np.float64)
    scale_F[scale_F < 1e-6] = 1.0
    standard_NF = ((raw_NF - mean_F) / scale_F).astype(np.float32)

    def ours() -> None:
        fits.append(fit_label_probe(raw_NF, rows, settings=ProbeSettings()))
        choose_label_thresholds(fits[-1].out_of_fold_NL, rows.targets_NL, names)

    def scikit_learn() -> None:
        peer = OneVsRestClassifier(LogisticRegression(C=usual_of(fits[-1]), max_iter=2000))
        peers.append(peer.fit(standard_NF, rows.targets_NL[:, peer_labels]))

    def ours_at_usual() -> None:
        plain.append(fit_label_probe(raw_NF, rows, settings=ProbeSettings(penalties=(usual_of(fits[-1]),))))

    def scikit_learn_search() -> None:
        has_NL = rows.targets_NL[:, spread_labels(rows.targets_NL, SEARCHED_LABELS)]
        peer = LogisticRegressionCV(Cs=list(ProbeSettings().penalties), cv=5, scoring="neg_log_loss", max_iter=2000)
        OneVsRestClassifier(peer).fit(standard_NF, has_NL)

    contestants: dict[str, Callable[[], object]] = {OURS: ours, ONE: ours_at_usual}
    if len(peer_labels):
        contestants |= {PEER: scikit_learn, SEARCH: scikit_learn_search}
    seconds = alternate(contestants, rounds=arguments.rounds)
    fit = fits[-1]
    cuts = choose_label_thresholds(fit.out_of_fold_NL, rows.targets_NL, names)
    half_L = np.full(len(names), 0.5)
    shares_NL, asked_NL = shares_of(fit, test_NF), targets_NL[test]
    judged = {
        "limbeck, threshold per label": judge(shares_NL, asked_NL, cuts.values),
        "limbeck, 0.5": judge(shares_NL, asked_NL, half_L),
        "limbeck, usual penalty, 0.5": judge(shares_of(plain[-1], test_NF), asked_NL, half_L),
    }
    compared: dict[str, dict[str, float]] = {}
    objectives: dict[str, dict[str, float]] = {}
    if peers:
        said_NL = peers[-1].predict_proba(((test_NF - mean_F) / scale_F).astype(np.float32))
        own_NL, of_peer_NL = shares_NL[:, peer_labels], asked_NL[:, peer_labels]
        compared = {
            "limbeck, threshold per label": judge(own_NL, of_peer_NL, cuts.values[peer_labels]),
            "limbeck, 0.5": judge(own_NL, of_peer_NL, half_L[peer_labels]),
            "scikit-learn, 0.5": judge(said_NL, of_peer_NL, half_L[peer_labels]),
        }
        objectives = compare_objectives(fit, rows, standard_NF, mean_F, scale_F)
    ratio = judged["limbeck, threshold per label"]["f1_macro"] / judged["limbeck, 0.5"]["f1_macro"]
    result = {
        "question": __doc__.splitlines()[0],
        "rows": {"train": int(train.sum()), "test": int(test.sum())},
        "labels": len(names),
        "columns": raw_NF.shape[1],
        "max_tokens": arguments.max_tokens,
        "torch_threads": torch.get_num_threads(),
        "load_average_before": os.getloadavg(),
        "seconds": summary(seconds, ours=OURS),
        "peer_labels": len(peer_labels),
        "judged": judged,
        "compared": compared,
        "threshold_gain": ratio,
        "objectives": objectives,
        "penalties": dict(Counter(map(str, fit.penalty_L.tolist()))),
        "iterations": fit.iterations,
        "limbeck_bound_on_gap": fit.gap,
        "peak_memory_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }
    show(result)
    place = "multi" if arguments.rows is None else f"multi-{arguments.rows}"
    print(write_result(place, result, packages=["limbeck", "torch", "scikit-learn", "numpy"]))


if __name__ == "__main__":
    main()
