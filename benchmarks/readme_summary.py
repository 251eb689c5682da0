"""The two tables of the README: speed on three machines, quality on three data sets.

In: benchmarks/results/*.json. Out: rows of cells. It does not know where they stand.
"""

from statistics import mean
from typing import Any

from measure import read_result

OURS = "limbeck"
NOT_MEASURED = "not measured"
TEXTS = {"encode_tweets": "mini emotion", "encode_reviews": "mini imdb"}
"""Workloads of the encoder's benchmark by their name in machines.json."""
EXACT = ("OpenVINO bf16, sorted, 2 streams", "transformers bf16, sorted")
"""Peers whose labels change no more often than ours do: int8 changes 4 % of them and more."""
EMOTION_LARGEST = 695 / 2_000
"""Test rows of emotion labelled joy, its most frequent training label; quality_emotion.json has validation's only."""


def speed() -> list[list[str]]:
    """What limbeck and the fastest peer do on each machine; MiniLM, two threads on CPUs."""
    others, encode = read_result("machines"), read_result("encode")["workloads"]
    rows = [["MiniLM; beside it the fastest other way of equal accuracy", "2 cores of a Xeon with AMX",
             "2 cores of an EPYC, AVX2 only", "one NVIDIA H100"]]  # fmt: skip
    for key, spoken in (("encode_tweets", "tweets per second"), ("encode_reviews", "reviews per second")):
        found = encode[TEXTS[key]]["contestants"]
        xeon = {name: found[name]["texts_per_s"] for name in (OURS, *EXACT)}
        rows.append([f"{spoken}, text to vector", *(_best(one, max) for one in (xeon, *_of(others, key)))])
    trained = read_result("train")["sizes"]["mini"]["contestants"]
    epochs = [{name: one["epoch_s"] for name, one in trained.items()}, *_of(others, "finetune_epoch_s")]
    avx2 = others["avx2"]
    for name, times in avx2["finetune_peers_times_ours"].items():
        epochs[1][name] = avx2["finetune_epoch_s"][OURS] * times
    rows.append(["seconds per epoch of fine-tuning, 16,000 tweets", *(_best(one, min) for one in epochs)])
    demos = [others[machine].get("demo_s") for machine in ("amx", "avx2", "h100")]
    said = [f"{one // 60} min {one % 60} s" if one else NOT_MEASURED for one in demos]
    rows.append(["`limbeck demo`: 38,158 tweets, from nothing to answers", *said])
    return rows


def quality() -> list[list[str]]:
    """Accuracy on test rows by method; ± is the standard deviation over three seeds, brackets are 95 % intervals."""
    emotion, imdb = read_result("quality_emotion")["runs"], read_result("quality_imdb")["runs"]["poolings"]
    sample = read_result("quality_sample")["runs"]["mean"]
    tuned, reviews = read_result("quality_finetune")["defaults"], read_result("imdb_finetune")
    rows = [["accuracy on test rows", "the tweets that come with limbeck, 3 classes", "emotion, 6 classes",
             "IMDb, 2 classes"]]  # fmt: skip
    shares = (sample["baseline_accuracy"], EMOTION_LARGEST, imdb["mean"]["baseline_accuracy"])
    rows.append(["always the largest class", *(f"{share:.3f}" for share in shares)])
    means = [run["test"]["accuracy"] for run in (sample, emotion["mean, none"], imdb["mean"])]
    rows.append(["probe on the last layer (the default)", *map(_measured, means)])
    layers = [run["test"]["accuracy"] for run in (emotion["layers, none"], imdb["layers"])]
    rows.append(["probe on every layer (`--pooling layers`)", NOT_MEASURED, *map(_measured, layers)])
    value, deviation = tuned["test"]["accuracy"]
    ends = reviews["test_accuracy_interval"]
    one = _measured([reviews["test"]["accuracy"], ends["low"], ends["high"]])
    rows.append(["fine-tuned (`--method finetune`)", NOT_MEASURED, f"{value:.3f} ± {deviation:.3f}", one])
    students = [read_result(f"distil_{task}")["students"][0] for task in ("emotion", "imdb")]
    kept = [f"{mean(seed['test_accuracy'] for seed in student['seeds']):.3f}" for student in students]
    rows.append(["a student of 3 layers of the fine-tuned one", NOT_MEASURED, *kept])
    return rows


def _of(others: dict[str, Any], key: str) -> list[dict[str, float]]:
    return [dict(others[machine][key]) for machine in ("avx2", "h100")]


def _best(found: dict[str, float], best: Any) -> str:
    """Ours, and the best of the others by its name."""
    peer = best((name for name in found if name != OURS), key=found.__getitem__)
    return f"**{_rate(found[OURS])}**; {peer.removesuffix(', 2 streams').removesuffix(', sorted')} {_rate(found[peer])}"


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 20 else f"{value:.1f}"


def _measured(values: list[float]) -> str:
    value, low, high = values
    return f"{value:.3f} ({low:.3f} – {high:.3f})"
