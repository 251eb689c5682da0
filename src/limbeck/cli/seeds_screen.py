"""How several seeds are shown: each, and what they come to."""

from collections.abc import Mapping
from typing import Any

from limbeck.cli import screen

_HEADS = {"accuracy": "accuracy", "f1_weighted": "F1 weighted", "f1_macro": "F1 macro", "log_loss": "log loss, nats"}


def show_seeds(metrics: Mapping[str, Any]) -> None:
    """Show the figures of each seed, their mean, their spread, and how much the kept one flatters."""
    rows = [
        [
            f"{one['seed']}{' (kept)' if one['seed'] == metrics['kept_seed'] else ''}",
            *(f"{one[name]:.4f}" for name in _HEADS),
        ]
        for one in metrics["seeds"]
    ]
    spread = metrics["spread"]
    for name, said in {"mean": "mean", "std": "standard deviation", "min": "lowest", "max": "highest"}.items():
        rows.append([said, *(f"{spread[figure][name]:.4f}" for figure in _HEADS)])
    screen.show_table(f"{len(metrics['seeds'])} seeds on the validation split", ["seed", *_HEADS.values()], rows)
    screen.show_line(
        "The mean is what to expect of one training. The kept model is the best on these very rows, so that its "
        "figures below flatter it a little; a test split tells more."
    )
