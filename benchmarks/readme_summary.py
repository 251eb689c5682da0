"""The two tables of the README: speed by machine, quality on three data sets.

In: benchmarks/results/*.json. Out: rows of cells. It does not know where they stand.
"""

from collections.abc import Iterable, Mapping
from statistics import mean
from typing import Any

from measure import read_result, read_results
from readme_machines import cores_of
from readme_serving import rates_within
from readme_speed import rate

Figures = dict[str, tuple[float, float | None]]
"""A figure by contestant; with it how many times as fast ours was, the median of the rounds' ratios."""

OURS, SERVED = "limbeck", "limbeck serve"
NOT_MEASURED = "not measured"
ENCODED = {"encode_tweets": ("mini emotion", "tweets"), "encode_reviews": ("mini imdb", "reviews")}
"""Workloads of the encoder's benchmark by their name in machines.json."""
EMOTION_LARGEST = 695 / 2_000
"""Test rows of emotion labelled joy, its most frequent training label; quality_emotion.json has validation's only."""


def speed() -> list[list[str]]:
    """What limbeck and the fastest peer do on each machine; MiniLM, two threads on CPUs.

    Of a machine that a benchmark has not measured yet, machines.json has what is known.
    """
    encoded, trained, told = read_results("encode"), read_results("train"), read_result("machines")
    titles = {name: cores_of(one) for name, one in (encoded | trained).items()}
    titles = {**titles, **{name: one["called"] for name, one in told.items() if "called" in one and name not in titles}}
    rows = [
        [
            "MiniLM; beside it the nearest way of equal accuracy (limbeck's speed / its)",
            *titles.values(),
        ]
    ]
    for key, (workload, texts) in ENCODED.items():
        rates = {name: _exact(one["workloads"].get(workload), "texts_per_s") for name, one in encoded.items()}
        rows.append([f"{texts} per second into vectors", *_cells(titles, rates, told, key, max)])
    single = {name: _of_exact_peers(one, one["one_text"].get("mini"), "p50_ms") for name, one in encoded.items()}
    rows.append(["milliseconds for one tweet", *_cells(titles, single, told, "one_text_ms", min)])
    epochs = {name: _exact(one["sizes"].get("mini"), "epoch_s") for name, one in trained.items()}
    rows.append(
        ["seconds per epoch of fine-tuning, 16,000 tweets", *_cells(titles, epochs, told, "finetune_epoch_s", min)]
    )
    served = {name: rates_within(one, "50") for name, one in read_results("serve").items()}
    rows.append(
        ["requests per second over HTTP, a tweet each, 99 % within 50 ms", *_cells(titles, served, told, "served", max)]
    )
    demos = [told.get(name, {}).get("demo_s") for name in titles]
    said = [f"{one // 60} min {one % 60} s" if one else NOT_MEASURED for one in demos]
    rows.append(["`limbeck demo`: 38,158 tweets, from nothing to answers", *said])
    return rows


def _cells(
    titles: Iterable[str], measured: Mapping[str, Figures], told: Mapping[str, Any], key: str, best: Any
) -> list[str]:
    """Say a row's figures, one cell a machine: as measured, else as told, else that they are not known."""
    unmeasured = {name: {who: (value, None) for who, value in one.get(key, {}).items()} for name, one in told.items()
                  if isinstance(one, dict) and isinstance(one.get(key, {}), dict)}  # fmt: skip
    found = (measured.get(name) or unmeasured.get(name) for name in titles)
    return [_best(one, best) if one else NOT_MEASURED for one in found]


def _exact(one: dict[str, Any] | None, figure: str) -> Figures:
    """Return a figure of ours and of the peers that answer as float32 does; of trainings, of all peers."""
    return {
        name: (entry[figure], entry.get("ours_is_times"))
        for name, entry in (one["contestants"] if one else {}).items()
        if name == OURS or entry.get("kind", "exact") == "exact"
    }


def _of_exact_peers(result: dict[str, Any], one: dict[str, Any] | None, figure: str) -> Figures:
    """The same of single texts, where int8 answers too: who is exact is said with the tweets."""
    exact = _exact(result["workloads"].get("mini emotion"), "texts_per_s")
    return {name: value for name, value in _exact(one, figure).items() if name in exact}


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


def _best(found: Figures, best: Any) -> str:
    """Ours, and the best of the others by its name.

    The best by the rounds' ratios where there are some, which are said then: a clock that varies moves medians apart.
    """
    ours = SERVED if SERVED in found else OURS
    others = {name: one for name, one in found.items() if name != ours}
    if all(times for _, times in others.values()):
        peer = min(others, key=lambda name: others[name][1] or 0.0)
    else:
        peer = best(others, key=lambda name: others[name][0])
    value, times = others[peer]
    ratio = f" ({times:.2f}×)" if times else ""
    return (
        f"**{rate(found[ours][0])}**; {peer.removesuffix(', 2 streams').removesuffix(', sorted')} {rate(value)}{ratio}"
    )


def _measured(values: list[float]) -> str:
    value, low, high = values
    return f"{value:.3f} ({low:.3f} – {high:.3f})"
