"""Cells: how one value stands on the report's page, escaped and marked as data where it is.

In: a value and the report's words. Out: HTML that is safe to put into a page. It does not know the page.

What comes from the data stands in a `bdi`, so that it can neither reorder its neighbours nor be taken for the report's
own words. A long text is shortened; the whole of it opens under it.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from limbeck.evaluation.confusions import Confusion
from limbeck.evaluation.limits import Limit
from limbeck.evaluation.measured import Measured
from limbeck.evaluation.proportions import Share
from limbeck.evaluation.slices import Slice, Term
from limbeck.reporting.marked import code, data, fill, marked, name
from limbeck.reporting.report_words import ReportWords
from limbeck.review.issues import LabelIssues

if TYPE_CHECKING:
    from markupsafe import Markup

SHORT_CHARS = 180
"""Of a text before it is opened."""
WHOLE_CHARS = 8000
"""Of a text that is on the page at all; where there is more, it says so and where the rest is."""
_LABEL_VALUES = ("label", "labels", "true", "said")
"""Values of a limit that are names of classes."""


def make_filters(words: ReportWords) -> dict[str, Callable[..., Any]]:
    """Return the template filters of a report in one language."""
    return {
        "fill": fill,
        "data": data,
        "name": name,
        "code": code,
        "measured": say_measured,
        "arrow": arrow,
        "row_text": lambda text, row_id: row_text(text, row_id, words),
        "grouping": lambda found: say_grouping(found, words),
        "slice_name": lambda term: say_slice(term, words),
        "slice_list": lambda found: _joined(
            fill("{slice} ({grouping}) {value}", slice=say_slice(one.term, words),
                 grouping=say_grouping(grouping, words), value=f"{one.accuracy.value:.3f}")
            for grouping, one in found
        ),
        "uniform_list": lambda found: _joined(
            fill("{grouping}: {slice}", grouping=say_grouping(grouping, words), slice=say_slice(one, words))
            for grouping, one in found
        ),
        "arm": lambda arm: say_kind("arms", arm.get("kind"), arm["name"], words),
        "verdict": lambda arm: say_kind("verdicts", arm.get("verdict_kind"), arm["verdict"], words),
        "finding": lambda found: say_finding(found.kind, found.title, words),
        "limit": lambda found: say_limit(found, words),
    }  # fmt: skip


def say_measured(found: Measured | Share) -> str:
    """Show a score with its interval; a dash where nothing is known, as of a class without rows."""
    if isinstance(found, Measured) and not found.is_known:
        return "–"
    return f"{found.value:.3f} ({found.low:.3f}–{found.high:.3f})"


def arrow(found: Confusion) -> "Markup":
    """Show a confusion: "love → joy 0.09"."""
    return fill("{true} → {said} {share}", true=name(found.true_label), said=name(found.predicted_label),
                share=f"{found.share.value:.2f}")  # fmt: skip


def row_text(text: str | None, row_id: str, words: ReportWords) -> "Markup":
    """Show a row's text, shortened where it is long, the whole under it; its id where there is no text."""
    from markupsafe import Markup

    if text is None:
        return data(row_id)
    if not text:
        return Markup('<span class="none">{}</span>').format(words["page"]["empty"])
    if len(text) <= SHORT_CHARS:
        return marked('<bdi class="quoted" dir="auto">{}</bdi>', text)
    whole = marked('<bdi class="quoted" dir="auto">{}</bdi>', text[:WHOLE_CHARS])
    if len(text) > WHOLE_CHARS:
        rest = fill(words["page"]["too_long"], shown=f"{WHOLE_CHARS:,}", count=f"{len(text):,}", row=data(row_id))
        whole += Markup('<p class="muted">{}</p>').format(rest)
    short = marked('<bdi class="quoted" dir="auto">{}</bdi>', text[:SHORT_CHARS].rstrip() + "…")
    return Markup('<details class="more"><summary>{}</summary>{}</details>').format(short, whole)


def say_grouping(term: Term, words: ReportWords) -> "Markup":
    """Say what rows are grouped by."""
    said = words.grouping(term)
    return data(term.name) if said is None else fill("{said}", said=said)


def say_slice(term: Term, words: ReportWords) -> "Markup":
    """Say what the rows of a slice have in common."""
    said = words.slice_name(term)
    return data(term.name) if said is None else fill("{said}", said=said)


def say_limit(found: Limit, words: ReportWords) -> "Markup":
    """Say a limit."""
    values: dict[str, Any] = {
        key: name(value) if key in _LABEL_VALUES else value for key, value in found.values.items()
    }
    if found.kind == "slice":
        values["name"] = say_slice(found.values["name"], words)
        values["grouping"] = say_grouping(found.values["grouping"], words)
    if found.kind.startswith("data_"):
        values["finding"] = say_finding(found.values["kind"], found.values["finding"], words)
    if found.kind == "warning":
        values["text"] = english(found.values["text"])
    return fill(words["limits"][found.kind], **values)


def say_kind(section: str, kind: str | None, name: str, words: ReportWords) -> "Markup":
    """Say something of limbeck's own by its kind; a run of an older limbeck tells no kind, but an English name."""
    return english(name) if kind is None else fill("{said}", said=words[section][kind])


def say_finding(kind: str, title: str, words: ReportWords) -> "Markup":
    """Say what an audit found; in English where the report has no word for it."""
    said = words["findings"].get(kind)
    return english(title) if said is None else fill("{said}", said=said)


def english(text: str) -> "Markup":
    """Show a sentence of limbeck's that is there in English only."""
    return marked('<bdi lang="en">{}</bdi>', text)


def say_reason(issues: LabelIssues, row: int, words: ReportWords) -> "Markup":
    """Say why a label is probably wrong, as `LabelIssues.reason` does, in the report's language."""
    said, found = words["labels"], issues.predictions
    label, suggested = int(found.known_labels[row]), int(issues.suggested_N[row])
    names, shares_C = found.label_names, found.probabilities[row]
    parts = [
        fill(said["said"], label=name(names[label]), own=f"{shares_C[label]:.2f}", suggested=name(names[suggested]),
             other=f"{shares_C[suggested]:.2f}")
    ]  # fmt: skip
    if issues.votes is not None:
        for kind, votes_NC in (("equal", issues.votes.equal_NC), ("near", issues.votes.near_rows_NC)):
            for other in sorted(range(len(names)), key=lambda place: -votes_NC[row, place]):
                if other != label and (count := int(votes_NC[row, other])):
                    sentence = said[f"{kind}_{'one' if count == 1 else 'many'}"]
                    parts.append(fill(sentence, label=name(names[other]), count=f"{count:,}"))
    return _joined(parts, "; ")


def worst_slice(found: Sequence[tuple[Term, Slice]]) -> dict[str, Any] | None:
    """Return the slice of the lowest accuracy that differs by more than chance; None where there is none."""
    for grouping, one in found:
        if one.difference is not None and one.difference < 0:
            return {"grouping": grouping, "slice": one.term, "value": one.accuracy.value}
    return None


def _joined(parts: "Iterable[Markup]", sign: str = ", ") -> "Markup":
    from markupsafe import Markup

    return Markup(sign).join(parts)  # noqa: S704  # the sign is ours, the parts are escaped
