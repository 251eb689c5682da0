"""How many planted label errors are found? limbeck beside cleanlab and plain loss ranking.

Labels of 5, 10 and 20 % of the rows are flipped, either to any other class ("uniform") or to the classes that a probe
on the clean labels confuses them with ("confusions"). A five-fold probe on frozen features gives out-of-fold
probabilities; every contestant ranks all rows, worst label first:

    loss        the loss of the given label under the run's probabilities (the order of cleanlab's self-confidence)
    cleanlab    the best of its rankings over the same probabilities, chosen with the answers known
    same        limbeck over the same probabilities, nothing else
    second      limbeck with its second fit: what `limbeck labels` does, but for repeats
    ours        with the votes of equal and nearly equal texts too: `limbeck labels`

Rows whose text stood in the data with two labels before anything was planted are left out of every score: one of the
two labels is wrong, and nobody knows which. AP is average precision, P the share of planted rows among as many worst
rows as were planted. A second part plants twins, to see whether votes help where there are repeats.

    python benchmarks/labels.py [--cases emotion-mean emotion-layers imdb-mean] [--seeds 3] [--cross-fit RATE]

`--cross-fit 0.1` instead plants 10 % on emotion, fine-tunes (3 epochs) with five-fold cross-fitting through the command
line, and scores that; about 20 minutes.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from cleanlab.rank import get_label_quality_scores
from measure import RESULTS, SHARED_DATA, write_result

import limbeck
from limbeck.data.dataset import Dataset
from limbeck.data.write import write
from limbeck.evaluation.metrics import confusion_counts
from limbeck.evaluation.prediction_files import read_predictions
from limbeck.evaluation.predictions import Predictions
from limbeck.features.cache import FeatureCache
from limbeck.features.extraction import extract_features
from limbeck.linear.fit import ProbeRows, fit_probe
from limbeck.linear.refit import Doubted, refit_out_of_fold
from limbeck.model.blocks import blocks_for
from limbeck.review.issues import LabelIssues, find_label_issues
from limbeck.review.noise import trust_rows
from limbeck.review.votes import LabelVotes, count_votes
from limbeck.settings import Pooling, ProbeSettings

CASES: dict[str, tuple[str, Pooling, int | None]] = {
    "emotion-mean": ("emotion", "mean", None),
    "emotion-layers": ("emotion", "layers", None),
    "imdb-mean": ("imdb", "mean", 256),
}
RATES = (0.05, 0.1, 0.2)
KINDS = ("uniform", "confusions")
RIVALS = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")


@dataclass
class Case:
    rows: Dataset
    features_NF: np.ndarray
    labels_N: np.ndarray
    confusion_CC: np.ndarray
    settled_N: np.ndarray
    """Rows whose text has one label only in the data as they are."""


def load_case(name: str) -> Case:
    data, pooling, limit = CASES[name]
    rows = limbeck.read(SHARED_DATA / data).split("train")
    engine = limbeck.load_encoder("minilm").engine
    blocks = blocks_for(pooling, None, engine.layers)
    window = engine.loaded.tokenizer.window(None, limit)
    found = extract_features(rows.texts, engine, blocks, window=window, cache=FeatureCache())
    labels_N = rows.labels
    clean = fit_probe(
        found.values_NF, ProbeRows(labels_N=labels_N, label_names=rows.label_names), settings=ProbeSettings()
    )
    votes = count_votes(rows.table["text"], labels_N, len(rows.label_names))
    return Case(
        rows=rows,
        features_NF=found.values_NF,
        labels_N=labels_N,
        confusion_CC=confusion_counts(labels_N, clean.out_of_fold_NC.argmax(1), len(rows.label_names)),
        settled_N=~votes.disagree(labels_N),
    )


def plant(case: Case, kind: str, rate: float, seed: int) -> np.ndarray:
    """Return labels of which `rate` are flipped."""
    random = np.random.default_rng(seed)
    labels_N, classes = case.labels_N, len(case.confusion_CC)
    rows = random.choice(len(labels_N), round(rate * len(labels_N)), replace=False)
    planted_N = labels_N.copy()
    if kind == "uniform":
        planted_N[rows] = (labels_N[rows] + random.integers(1, classes, len(rows))) % classes
    else:
        off_CC = case.confusion_CC * (1.0 - np.eye(classes))
        edges_CC = (off_CC / off_CC.sum(1, keepdims=True)).cumsum(1)
        planted_N[rows] = (random.random(len(rows))[:, None] > edges_CC[labels_N[rows]]).sum(1).clip(0, classes - 1)
    return planted_N


def figures(order_N: np.ndarray, planted_N: np.ndarray, among_N: np.ndarray) -> dict[str, float]:
    """Score an order of all rows, worst first."""
    hits = planted_N[order_N[among_N[order_N]]]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return {"AP": round(float(precision[hits].mean()), 4), "P": round(float(hits[: hits.sum()].mean()), 4)}


def predictions_of(rows: Dataset, probabilities_NC: np.ndarray, labels_N: np.ndarray) -> Predictions:
    nothing = np.zeros(len(labels_N))
    return Predictions(
        row_ids=tuple(rows.row_ids),
        label_names=rows.label_names,
        probabilities=probabilities_NC,
        true_labels=pa.array(labels_N, pa.int32()),
        tokens=nothing,
        truncated=nothing,
        texts=tuple(rows.texts),
    )


def rivals(probabilities_NC: np.ndarray, labels_N: np.ndarray) -> dict[str, np.ndarray]:
    """Return cleanlab's orders."""
    orders = {}
    for method in RIVALS:
        for adjusted in (False, True):
            if adjusted and method == "confidence_weighted_entropy":
                continue
            scores = get_label_quality_scores(labels_N, probabilities_NC, method=method, adjust_pred_probs=adjusted)
            orders[f"cleanlab {method}{' adjusted' if adjusted else ''}"] = np.argsort(scores, kind="stable")
    return orders


def second_answers(case: Case, first_NC: np.ndarray, labels_N: np.ndarray, votes: LabelVotes, c: float) -> np.ndarray:
    doubted = Doubted(
        labels_N=labels_N,
        trust_N=trust_rows(first_NC, labels_N),
        group_N=votes.group_N,
        label_names=case.rows.label_names,
    )
    return refit_out_of_fold(case.features_NF, doubted, columns=None, penalty=c, settings=ProbeSettings())


def measure(case: Case, kind: str, rate: float, seed: int) -> dict[str, object]:
    labels_N = plant(case, kind, rate, seed)
    planted_N = labels_N != case.labels_N
    settings = ProbeSettings()
    started = time.perf_counter()
    fit = fit_probe(
        case.features_NF, ProbeRows(labels_N=labels_N, label_names=case.rows.label_names), settings=settings
    )
    fitted = time.perf_counter()
    found = predictions_of(case.rows, fit.out_of_fold_NC, labels_N)
    votes = count_votes(case.rows.table["text"], labels_N, len(case.rows.label_names))
    second_NC = second_answers(case, fit.out_of_fold_NC, labels_N, votes, fit.penalty)
    issues = find_label_issues(found, votes=votes, second_NC=second_NC)
    ended = time.perf_counter()
    orders = {
        "loss": np.argsort(-found.losses, kind="stable"),
        **rivals(fit.out_of_fold_NC, labels_N),
        "same": find_label_issues(found).order_N,
        "second": find_label_issues(found, second_NC=second_NC).order_N,
        "ours": issues.order_N,
    }
    scored = {name: figures(order_N, planted_N, case.settled_N) for name, order_N in orders.items()}
    return {
        "orders": scored,
        "ours_over_all_rows": figures(issues.order_N, planted_N, np.ones(len(labels_N), bool)),
        "loss_over_all_rows": figures(orders["loss"], planted_N, np.ones(len(labels_N), bool)),
        "noise_rate": noise_rates(issues),
        "seconds": {"fit": round(fitted - started, 1), "search": round(ended - fitted, 1)},
    }


def noise_rates(issues: LabelIssues) -> dict[str, float]:
    return {
        "anchors": round(issues.noise.rate, 3),
        "confident_learning": round(issues.learning.noise_rate, 3),
        "probably_wrong": round(issues.probably_wrong / len(issues), 3),
    }


def summed_up(runs: list[dict[str, object]]) -> dict[str, object]:
    """Put the seeds together: mean, lowest and highest; the best of cleanlab chosen by its mean."""
    names = list(runs[0]["orders"])  # type: ignore[arg-type]  # a dictionary
    table = {
        name: {
            figure: spread([run["orders"][name][figure] for run in runs])  # type: ignore[index]
            for figure in ("AP", "P")
        }
        for name in names
    }
    theirs = [name for name in names if name.startswith("cleanlab")]
    best = {figure: max(theirs, key=lambda name: table[name][figure]["mean"]) for figure in ("AP", "P")}
    return {
        **{name: table[name] for name in ("loss", "same", "second", "ours")},
        "cleanlab_best": {figure: {"ranking": name, **table[name][figure]} for figure, name in best.items()},
        "at_least_the_best": {
            name: {
                figure: table[name][figure]["mean"]
                >= max(table["loss"][figure]["mean"], table[best[figure]][figure]["mean"])
                for figure in ("AP", "P")
            }
            for name in ("same", "second", "ours")
        },
        "noise_rate": runs[0]["noise_rate"],
        "seconds": runs[0]["seconds"],
        "runs": runs,
    }


def spread(values: list[float]) -> dict[str, float]:
    return {"mean": round(statistics.fmean(values), 4), "lowest": min(values), "highest": max(values)}


def plant_twins(case: Case, seed: int) -> dict[str, object]:
    """Copy 1,000 rows, flip 10 % of all labels, and score the rows that have a twin: do votes help there?"""
    random = np.random.default_rng(seed)
    copied = random.choice(np.flatnonzero(case.settled_N), 1000, replace=False)
    rows = np.concatenate([np.arange(len(case.labels_N)), copied])
    twins = Case(
        rows=case.rows.select(rows),
        features_NF=case.features_NF[rows],
        labels_N=case.labels_N[rows],
        confusion_CC=case.confusion_CC,
        settled_N=case.settled_N[rows],
    )
    labels_N = plant(twins, "uniform", 0.1, seed)
    planted_N = labels_N != twins.labels_N
    texts = twins.rows.table["text"]
    fit = fit_probe(
        twins.features_NF, ProbeRows(labels_N=labels_N, label_names=case.rows.label_names), settings=ProbeSettings()
    )
    ids = [f"row:{place}" for place in range(len(rows))]
    renamed = twins.rows.table.set_column(0, twins.rows.table.schema.field("row_id"), pa.array(ids, pa.large_string()))
    found = predictions_of(
        Dataset(table=renamed, label_names=case.rows.label_names, source="twins"), fit.out_of_fold_NC, labels_N
    )
    votes = count_votes(texts, labels_N, len(case.rows.label_names))
    second_NC = second_answers(twins, fit.out_of_fold_NC, labels_N, votes, fit.penalty)
    paired_N = np.isin(rows, copied) & twins.settled_N
    orders = {
        "loss": np.argsort(-found.losses, kind="stable"),
        "second": find_label_issues(found, second_NC=second_NC).order_N,
        "ours": find_label_issues(found, votes=votes, second_NC=second_NC).order_N,
    }
    return {name: figures(order_N, planted_N, paired_N) for name, order_N in orders.items()}


def cross_fitted(rate: float) -> dict[str, object]:
    """Plant, fine-tune and cross-fit through the command line, as a person would."""
    case = load_case("emotion-mean")
    labels_N = plant(case, "uniform", rate, seed=0)
    planted_N = labels_N != case.labels_N
    whole = limbeck.read(SHARED_DATA / "emotion")
    codes = np.array(whole.table["label"].to_pylist())
    splits = np.array(whole.table["split"].cast(pa.string()).to_pylist())
    codes[splits == "train"] = labels_N
    table = whole.table.set_column(3, whole.table.schema.field("label"), pa.array(codes, pa.int32()))
    with tempfile.TemporaryDirectory() as place:
        data, run = Path(place) / "data", Path(place) / "RUN"
        write(Dataset(table=table, label_names=whole.label_names, source="planted"), data)
        command = [sys.executable, "-m", "limbeck"]
        started = time.perf_counter()
        subprocess.run([*command, "train", str(data), "--out", str(run), "--method", "finetune"], check=True)
        trained = time.perf_counter()
        subprocess.run([*command, "labels", str(run), "--cross-fit", "5", "--out", f"{place}/review.csv"], check=True)
        ended = time.perf_counter()
        found = read_predictions(run / "predictions" / "out_of_fold.parquet")
    votes = count_votes(case.rows.table["text"], labels_N, len(case.rows.label_names))
    issues = find_label_issues(found, votes=votes)
    orders = {
        "loss": np.argsort(-found.losses, kind="stable"),
        **rivals(found.probabilities, labels_N),
        "same": find_label_issues(found).order_N,
        "ours": issues.order_N,
    }
    return {
        "rate": rate,
        "orders": {name: figures(order_N, planted_N, case.settled_N) for name, order_N in orders.items()},
        "ours_over_all_rows": figures(issues.order_N, planted_N, np.ones(len(labels_N), bool)),
        "noise_rate": noise_rates(issues),
        "seconds": {"train": round(trained - started), "cross_fit_and_search": round(ended - trained)},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--rates", nargs="+", type=float, default=RATES)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--twins", action="store_true", help="only plant twins")
    parser.add_argument("--cross-fit", type=float, metavar="RATE")
    arguments = parser.parse_args()
    earlier = RESULTS / "labels.json"
    # Parts are measured one at a time; what was measured before stays.
    result = json.loads(earlier.read_text("utf-8")) if earlier.exists() else {}
    result["question"] = __doc__.splitlines()[0]

    def keep() -> None:
        write_result("labels", result, packages=["limbeck", "cleanlab", "torch"])

    if arguments.cross_fit is not None:
        result["cross_fit"] = cross_fitted(arguments.cross_fit)
        print(json.dumps(result["cross_fit"], indent=1))
        keep()
        return
    if arguments.twins:
        case = load_case("emotion-mean")
        runs = [plant_twins(case, seed) for seed in range(arguments.seeds)]
        result["twins"] = {
            name: {figure: spread([run[name][figure] for run in runs]) for figure in ("AP", "P")}  # type: ignore[index]
            for name in runs[0]
        }
        print(json.dumps(result["twins"], indent=1))
        keep()
        return
    for name in arguments.cases:
        case = load_case(name)
        for rate in arguments.rates:
            for kind in KINDS[: 1 if len(case.confusion_CC) == 2 else None]:  # of two classes there is one other
                found = summed_up([measure(case, kind, rate, seed) for seed in range(arguments.seeds)])
                result.setdefault(name, {})[f"{kind} {rate:g}"] = found
                shown = {key: value for key, value in found.items() if key != "runs"}
                print(name, kind, rate, json.dumps(shown), flush=True)
                keep()


if __name__ == "__main__":
    main()
