"""How label issues, corrections and their effect look on a terminal."""

from typing import TYPE_CHECKING

from limbeck.cli import screen

if TYPE_CHECKING:
    from pathlib import Path

    from limbeck.evaluation.proportions import Share
    from limbeck.review.corrections import Corrections
    from limbeck.review.label_doubts import LabelDoubts
    from limbeck.review.rescoring import Rescored
    from limbeck.scale.reviewed_parts import PartsReviewed
    from limbeck.scale.reviewed_tags import PartsTags

SHOWN_ISSUES = 10
SHOWN_MIXUPS = 5


def show_doubts(issues: "LabelDoubts", note: str = "") -> None:
    """Show how many labels are probably wrong, which are mixed up, and the worst rows.

    Args:
        issues: what was found.
        note: what was left out, and why.
    """
    names = issues.label_names
    doubtful = issues.doubtful
    if not doubtful.count:
        screen.show_line(
            f"No label of the {len(issues):,} rows looks wrong: each row's own label is its most probable one"
        )
    else:
        screen.show_line(
            f"{doubtful.count:,} of {len(issues):,} labels look wrong to the model ({_shares(doubtful)}): another "
            "class is more probable. Read them before you change one"
        )
        if issues.most_wrong is None:
            screen.show_line(
                f"it agrees with only {issues.right_out_of_fold.value:.0%} of the labels, so many of these are "
                "mistakes of its own: how many labels are wrong is not estimated"
            )
        else:
            screen.show_line(
                f"of all labels at most about {issues.most_wrong:.1%} are wrong, by the model's surest rows"
            )
    if issues.disagreeing_share is not None and issues.disagreeing_share.count:
        share = issues.disagreeing_share
        screen.show_line(
            f"{share.count:,} rows ({_shares(share)}) have an equal or nearly equal text with another label"
        )
    if note:
        screen.show_line(f"Note: {note}")
    mixups = issues.learning.mixups(names)[:SHOWN_MIXUPS]
    if mixups and doubtful.count:
        screen.show_table(
            "Mixed up most (confident learning)",
            ["labelled", "probably", "rows", "share of the label"],
            [[one.given, one.true, f"{one.rows:,}", f"{one.share:.3f}"] for one in mixups],
        )
    if not doubtful.count:
        return
    screen.show_table(
        f"The {min(SHOWN_ISSUES, len(issues))} rows whose label is least probably right",
        ["text, and why", "label", "suggested", "quality"],
        [
            [
                f"{screen.shortened(issue.text or '')}\n  {issue.reason}",
                issue.label,
                issue.suggested_label,
                f"{issue.label_quality:.3f}",
            ]
            for issue in issues.worst(SHOWN_ISSUES)
        ],
    )


def show_parts_reviewed(found: "PartsReviewed | PartsTags") -> None:
    """Show what looks wrong in a folder of parts, which rows were not judged, and what was not looked at."""
    from limbeck.cli import figures_screen
    from limbeck.review.tag_doubts import TagDoubts

    if isinstance(found, TagDoubts):
        figures_screen.show_tag_issues(found, count=SHOWN_ISSUES)
    else:
        show_doubts(found)
    if found.learned_rows:
        screen.show_line(
            f"{found.learned_rows:,} more rows have a text that the model learned from: its answers tell nothing about "
            "their labels. limbeck labels RUN judges training rows"
        )
    if not isinstance(found, TagDoubts):
        screen.show_line("Equal and nearly equal texts with other labels were not looked for")


def _shares(found: "Share") -> str:
    return f"{found.value:.1%}, 95 % interval {found.low:.1%} to {found.high:.1%}"


def show_no_sheet() -> None:
    """Say why there is nothing to review, and how to read rows all the same."""
    screen.show_line("No sheet is written. To read the least sure rows all the same, add --rows 50 --out review.csv")


def show_sheet_place(sheet: "Path", *, count: int) -> None:
    """Say what to do with the sheet."""
    screen.show_line(f"{sheet}: {count:,} rows, worst first; write the right label into new_label, or ok to take the")
    screen.show_line("suggested one; leave the cell empty to keep the label; save as CSV")


def show_new_sheet(found: "PartsReviewed | PartsTags", sheet: "Path", *, count: int) -> None:
    """Say what to do with the sheet of a folder of parts."""
    from limbeck.review.tag_doubts import TagDoubts

    show = show_tag_sheet_place if isinstance(found, TagDoubts) else show_sheet_place
    show(sheet, count=count)


def show_sheet_kept(sheet: "Path") -> None:
    """Say that somebody's work was not written over."""
    screen.show_line(f"{sheet} is kept as it is: it holds something else, such as decisions; move it, and the")
    screen.show_line("same command writes the sheet")


def show_tag_sheet_place(sheet: "Path", *, count: int) -> None:
    """Say what to do with the sheet of labels that are missing or too many."""
    screen.show_line(f"{sheet}: {count:,} labels of rows, worst first; write ok into new_label to add the label under")
    screen.show_line(
        "suggested_label, or to take out the one under label; leave the cell empty to keep the row as it is;"
    )
    screen.show_line("save as CSV")


def show_corrections(corrections: "Corrections", out: "Path") -> None:
    """Show what was changed."""
    found = corrections.to_dict()
    screen.show_table(
        f"{found['reviewed']:,} rows reviewed, {found['changed']:,} labels changed, {found['kept']:,} kept",
        ["label → new label", "rows"],
        [[pair, f"{count:,}"] for pair, count in found["changed_by_pair"].items()],
    )
    by_split = ", ".join(f"{name} {count:,}" for name, count in found["changed_by_split"].items())
    screen.show_line(f"by split: {by_split or 'none'}; suggestions taken: {found['suggestions_taken']:,}")
    screen.show_line(f"Written: {out / 'data'}; every change: {out / 'changes.csv'}; counts: {out / 'labels.json'}")


def show_rescored(rescored: "Rescored") -> None:
    """Say whether the corrections helped, on the run's validation rows."""
    if rescored.changed_validation:
        screen.show_line(
            f"{rescored.changed_validation:,} validation labels were corrected too, so the yardstick has changed: "
            "both models are measured by both"
        )
    for one in rescored.found:
        screen.show_line(str(one))
    screen.show_line(f"The run on corrected labels: {rescored.folder.path}")
