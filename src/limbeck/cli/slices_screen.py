"""How slices are shown: one table a grouping, and before them what differs."""

from typing import TYPE_CHECKING

from limbeck.cli import screen

if TYPE_CHECKING:
    from limbeck.evaluation.slices import Grouping, Slice, Slices


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
