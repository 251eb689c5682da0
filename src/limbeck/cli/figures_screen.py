"""How hard cases, slices and several seeds are shown: a table each, and in words what it says."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from limbeck.cli import screen

if TYPE_CHECKING:
    from limbeck.display.tables import Table
    from limbeck.evaluation.hard_cases import HardCase, HardCases, NamedConfusion
    from limbeck.evaluation.slices import Grouping, Slice, Slices
    from limbeck.review.tag_doubts import TagDoubts

SHOWN_CONFUSIONS = 5
_HEADS = {"accuracy": "accuracy", "f1_weighted": "F1 weighted", "f1_macro": "F1 macro", "log_loss": "log loss, nats"}


def show_hard_cases(cases: "HardCases", confusions: "Sequence[NamedConfusion]", *, count: int) -> None:
    """Show the worst confusions with a row of each, and the rows of the highest and of the lowest loss."""
    if confusions:
        screen.show_table(
            "Taken for another, most rows first (share of the class's rows)",
            ["confusion", "for example"],
            [[str(one), _case_text(one.examples[0])] for one in confusions[:SHOWN_CONFUSIONS]],
        )
    if count:
        _show_cases("Highest loss: hard texts, or wrong labels", cases.highest(count))
        _show_cases("Lowest loss: what the model is surest of", cases.lowest(count))


def _show_cases(title: str, cases: "Sequence[HardCase]") -> None:
    rows = [
        [_case_text(case), case.label, case.predicted, f"{case.loss:.3f}", f"{case.margin:+.3f}", _tokens(case)]
        for case in cases
    ]
    screen.show_table(title, ["text", "label", "predicted", "loss, nats", "margin", "tokens"], rows)


def _case_text(case: "HardCase") -> str:
    return screen.shortened(case.text or case.row_id)


def _tokens(case: "HardCase") -> str:
    return f"{case.tokens:,}{' (cut)' if case.truncated else ''}"


def show_slices(found: "Slices") -> None:
    """Show each grouping's slices; one that differs from the rest by more than chance is marked."""
    for group in found.groupings:
        _show_grouping(group, found)
    if found.uniform:
        same = ", ".join(f"{name}: {value}" for name, value in found.uniform)
        screen.show_line(f"the same for every row: {same}")
    if not found.tests:
        screen.show_line(f"no slice was tested: none has {found.fewest_rows} rows and others beside it")
        return
    different = [f"{screen.shortened(one.name)} ({name}) {one.accuracy.value:.3f}" for name, one in found.different]
    screen.show_line(
        "slices that differ from the rest by more than chance (Fisher's exact test, corrected for "
        f"{found.tests} test{'' if found.tests == 1 else 's'}): {', '.join(different) or 'none'}"
    )


def _show_grouping(group: "Grouping", found: "Slices") -> None:
    if group.slices:
        _show_slices(group, found)
    if group.left_out:
        screen.show_line(
            f"{'  ' if group.slices else f'By {group.name}, '}not shown: {group.left_out:,} slices of "
            f"{group.left_out_rows:,} rows in all (fewer than {found.fewest_rows} rows each, or beyond the largest)"
        )


def _show_slices(group: "Grouping", found: "Slices") -> None:
    screen.show_table(
        f"By {group.name} (all rows: accuracy {found.accuracy.value:.3f})",
        ["slice", "rows", "accuracy", "95 % interval", "loss", "p"],
        [
            [
                screen.shortened(one.name),
                f"{one.accuracy.rows:,}",
                f"{one.accuracy.value:.3f}",
                f"{one.accuracy.low:.3f} – {one.accuracy.high:.3f}",
                f"{one.loss.value:.3f}",
                _marked(one),
            ]
            for one in group.slices
        ],
    )


def _marked(one: "Slice") -> str:
    if one.p_value is None:
        return ""
    return f"{one.p_value:.2g}{' *' if one.is_different else ''}"


def show_seeds(metrics: Mapping[str, Any]) -> None:
    """Show the figures of each seed, their mean, their spread, and how much the kept one flatters."""
    heads = {name: _HEADS.get(name, name) for name in metrics["spread"]}
    rows = [
        [
            f"{one['seed']}{' (kept)' if one['seed'] == metrics['kept_seed'] else ''}",
            *(f"{one[name]:.4f}" for name in heads),
        ]
        for one in metrics["seeds"]
    ]
    spread = metrics["spread"]
    for name, said in {"mean": "mean", "std": "standard deviation", "min": "lowest", "max": "highest"}.items():
        rows.append([said, *(f"{spread[figure][name]:.4f}" for figure in heads)])
    screen.show_table(f"{len(metrics['seeds'])} seeds on the validation split", ["seed", *heads.values()], rows)
    screen.show_line(
        "The mean is what to expect of one training. The kept model is the best on these very rows, so its figures "
        "below look a little better than it is; score it on a test split."
    )


def show_given_table(table: "Table", *, title: str | None = None) -> None:
    """Show a table that a result makes of itself; what is left out is said under it."""
    screen.show_table(
        title or table.title, list(table.header), [[screen.shortened(cell) for cell in row] for row in table.rows]
    )
    if table.left_out:
        screen.show_line(f"… {table.left_out}")


def show_tag_issues(found: "TagDoubts", *, count: int) -> None:
    """Show how many labels look missing or too many, and the worst of each list."""
    for line in found._lines():
        screen.show_line(line)
    for table in found.tables(count):
        show_given_table(table)
