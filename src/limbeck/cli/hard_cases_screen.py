"""How hard cases and confusions look on a terminal."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from limbeck.cli import screen

if TYPE_CHECKING:
    from limbeck.evaluation.confusions import NamedConfusion
    from limbeck.evaluation.hard_cases import HardCase, HardCases

SHOWN_CONFUSIONS = 5


def show_hard_cases(cases: "HardCases", confusions: "Sequence[NamedConfusion]", *, count: int) -> None:
    """Show the worst confusions with a row of each, and the rows of the highest and of the lowest loss."""
    if confusions:
        screen.show_table(
            "Taken for another, most rows first (share of the class's rows)",
            ["confusion", "for example"],
            [[str(one), _text(one.examples[0])] for one in confusions[:SHOWN_CONFUSIONS]],
        )
    if count:
        _show("Highest loss: hard texts, or wrong labels", cases.highest(count))
        _show("Lowest loss: what the model is surest of", cases.lowest(count))


def _show(title: str, cases: "Sequence[HardCase]") -> None:
    rows = [
        [_text(case), case.label, case.predicted, f"{case.loss:.3f}", f"{case.margin:+.3f}", _tokens(case)]
        for case in cases
    ]
    screen.show_table(title, ["text", "label", "predicted", "loss, nats", "margin", "tokens"], rows)


def _text(case: "HardCase") -> str:
    return screen.shortened(case.text or case.row_id)


def _tokens(case: "HardCase") -> str:
    return f"{case.tokens:,}{' (cut)' if case.truncated else ''}"
