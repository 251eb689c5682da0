"""The tables of docs/labels.md: how many planted label errors are found.

In: benchmarks/results/labels.json. Out: rows of cells. It does not know where they stand.
"""

from typing import Any

from measure import read_result

KINDS = {"uniform": "anywhere", "confusions": "along confusions"}


def emotion() -> list[list[str]]:
    """Average precision on emotion, and the share of planted rows among the worst."""
    return _planted("emotion-mean", "emotion, mean features", says_kind=True)


def imdb() -> list[list[str]]:
    """The same on IMDb; of two classes there is one other, and so one kind."""
    return _planted("imdb-mean", "IMDb, mean features, 256 tokens", says_kind=False)


def cross_fitted() -> list[list[str]]:
    """Every ranking over the probabilities of a cross-fitted fine-tuned model."""
    found = read_result("labels")["cross_fit"]
    rows = [[f"emotion, fine-tuned, {found['rate']:.0%} anywhere", "average precision", "precision"]]
    names = {"loss": "loss", "ours": "limbeck", **{name: name for name in found["orders"] if name.startswith("cl")}}
    for key, name in names.items():
        one = found["orders"][key]
        rows.append([name, f"{one['AP']:.3f}", f"{one['P']:.3f}"])
    return rows


def _planted(case: str, title: str, *, says_kind: bool) -> list[list[str]]:
    rows = [[f"{title}: average precision (precision)", "loss", "cleanlab", "limbeck, same probabilities", "limbeck"]]
    for planted, found in read_result("labels")[case].items():
        kind, rate = planted.split()
        name = f"{float(rate):.0%}" + (f" {KINDS[kind]}" if says_kind else "")
        sides = (found["loss"], found["cleanlab_best"], found["same"], found["ours"])
        rows.append([name, *map(_cell, sides)])
    return rows


def _cell(side: dict[str, Any]) -> str:
    return f"{side['AP']['mean']:.3f} ({side['P']['mean']:.3f})"
