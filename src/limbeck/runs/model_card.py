"""The model card: what a model is, in Markdown, from facts that are known.

In: the bundle's facts, an evaluation and the limits that were found in it. Out: the text of the bundle's README.md.
It says nothing that was not measured. Training writes it; a report, which has looked longer, writes it again.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from limbeck import storage
from limbeck.evaluation.any_evaluation import AnyEvaluation
from limbeck.evaluation.evaluation import Evaluation
from limbeck.evaluation.label_scores import threshold_text
from limbeck.evaluation.limits import Circumstances, Limit, find_label_limits, find_limits, find_ordered_limits
from limbeck.evaluation.measured import Measured
from limbeck.evaluation.multi_evaluation import MULTI_FIGURES, MultiEvaluation
from limbeck.evaluation.ordinal_evaluation import OrdinalEvaluation
from limbeck.evaluation.value_evaluation import ValueEvaluation
from limbeck.model.answers_line import answers_line
from limbeck.model.bundle import CARD_NAME
from limbeck.model.facts import FACTS_NAME, BundleFacts, parse_facts
from limbeck.tokens import Window
from limbeck.tokens.windows import said_window

_LIMBECK_ONLY = (
    "It opens in limbeck only: `transformers` has no such head. There the folder opens as the encoder alone.",
    "",
)

_PARENTS_LINES = (
    "- A label whose name begins with that of another and `::` is a part of it: a text that is given the part is given",
    "  the other, too",
)


def card_of(facts: BundleFacts, validation: AnyEvaluation, known: Circumstances) -> str:
    """Return the model card of a model that was just trained, with the limits found in its figures."""
    if isinstance(validation, MultiEvaluation):
        limits = find_label_limits(validation, known)
    elif isinstance(validation, OrdinalEvaluation | ValueEvaluation):
        limits = find_ordered_limits(validation, known)
    else:
        limits = find_limits(validation, known)
    return any_card_text(facts, validation, limits)


def any_card_text(facts: BundleFacts, validation: AnyEvaluation, limits: Sequence[Limit]) -> str:
    """Return the model card of a model of any shape."""
    if isinstance(validation, MultiEvaluation):
        return label_card_text(facts, validation, limits)
    if isinstance(validation, OrdinalEvaluation | ValueEvaluation):
        return ordered_card_text(facts, validation, limits)
    return card_text(facts, validation, limits)


def card_text(facts: BundleFacts, validation: Evaluation, limits: Sequence[Limit]) -> str:
    """Return the model card."""
    measures = {
        "accuracy": validation.accuracy,
        "F1, weighted": validation.f1_weighted,
        "F1, macro": validation.f1_macro,
        "log loss, nats": validation.log_loss,
    }
    classes = [
        f"| {_cell(one.name)} | {one.support:,} | {one.precision.value:.3f} | {one.recall.value:.3f} "
        f"| {one.f1.value:.3f} |"
        for one in validation.per_class
    ]
    confusions = [
        f"- {_cell(one.true_label)} → {_cell(one.predicted_label)}: {one.count:,} rows, {one.share.value:.2f} of all "
        f"that are {_cell(one.true_label)}"
        for one in validation.worst_confusions[:5]
    ]
    lines = [
        *_beginning(facts, f"It labels {_what(facts)} as one of: {_names(facts)}."),
        f"- Probabilities: {_calibration_line(facts, validation)}",
        answers_line(facts),
        "",
        f"## On the validation split ({validation.rows:,} rows)",
        "",
        f"| | value | 95 % interval | always “{_cell(validation.baseline.label)}” |",
        "|---|---|---|---|",
        *(
            _measure_line(name, found, baseline)
            for (name, found), baseline in zip(measures.items(), _baseline_values(validation), strict=True)
        ),
        "",
        "| class | rows | precision | recall | F1 |",
        "|---|---|---|---|---|",
        *classes,
        "",
        "Most often confused:",
        "",
        *(confusions or ["- nothing"]),
        "",
        *_end(facts, limits, "predicted_names"),
    ]
    return "\n".join(lines) + "\n"


def ordered_card_text(
    facts: BundleFacts, validation: OrdinalEvaluation | ValueEvaluation, limits: Sequence[Limit]
) -> str:
    """Return the card of a model of ordered classes, or of numbers."""
    is_number = isinstance(validation, ValueEvaluation)
    what = (
        "It gives a text a number." if is_number else f"It gives a text one of these, in their order: {_names(facts)}."
    )
    table = validation.figure_table()
    lines = [
        *_beginning(facts, what),
        *(() if facts.value_width is None else (f"- Intervals: {facts.value_width.said}",)),
        "",
        f"## On the validation split ({validation.rows:,} rows)",
        "",
        f"| {' | '.join(map(_cell, table.header))} |",
        f"|{'---|' * len(table.header)}",
        *(f"| {' | '.join(map(_cell, row))} |" for row in table.rows),
        "",
        *_end(facts, limits, "answers" if is_number else "predicted_names"),
    ]
    return "\n".join(lines) + "\n"


def label_card_text(facts: BundleFacts, validation: MultiEvaluation, limits: Sequence[Limit]) -> str:
    """Return the card of a model that gives any number of labels."""
    lines = [
        *_beginning(facts, f"It gives {_what(facts)} any number of these labels, also none: {_names(facts)}."),
        answers_line(facts),
        *(_PARENTS_LINES if facts.label_parents else ()),
        f"- Probabilities: mean calibration error of the labels {validation.calibration_error:.4f}; that of "
        f"{validation.beyond_chance:,} labels is more than chance; {_folded(facts)}",
        "",
        f"## On the validation split ({validation.rows:,} rows)",
        "",
        f"| | value | 95 % interval | always “{_cell(str(validation.baseline))}” |",
        "|---|---|---|---|",
        *(
            _measure_line(MULTI_FIGURES[name], one, validation.baseline.figures[name])
            for name, one in validation.figures.items()
        ),
        "",
        "| label | rows | precision | recall | F1 | given from |",
        "|---|---|---|---|---|---|",
        *(
            f"| {_cell(one.counted.name)} | {one.counted.support:,} | {one.counted.precision.value:.3f} "
            f"| {one.counted.recall.value:.3f} | {one.counted.f1.value:.3f} | {threshold_text(one.threshold)} |"
            for one in validation.per_label
        ),
        "",
        *_end(facts, limits, "answers"),
    ]
    return "\n".join(lines) + "\n"


def _names(facts: BundleFacts) -> str:
    return ", ".join(map(_cell, facts.label_names))


def _beginning(facts: BundleFacts, what: str) -> tuple[str, ...]:
    """Return what every card says first."""
    record = facts.provenance
    encoder, data = record["encoder"]["name"], record["data"]
    return (
        "# A text classifier made with limbeck",
        "",
        what,
        "",
        "**Meant for** texts like those it was trained on, labelled with these classes. **Not meant for** other kinds",
        "of text, other languages, or decisions about people that no person looks at.",
        "",
        f"- Encoder: {_cell(encoder)}; head: {facts.head}, on {', '.join(map(str, facts.blocks))}",
        _window_line(facts),
        f"- Trained on: {_cell(data['source'])} ({_row_counts(data['rows'])})",
        f"- Data fingerprint (SHA-256 of texts, labels, row ids and splits): {data['fingerprint']}",
    )


def _end(facts: BundleFacts, limits: Sequence[Limit], answer: str) -> tuple[str, ...]:
    """Return what every card says last."""
    return (
        "## Limits found",
        "",
        *(f"- {_cell(str(one))}" for one in limits),
        "",
        "## Use",
        "",
        "```python",
        "import limbeck",
        f'print(limbeck.load("this folder").predict([{_example(facts)}]).{answer})',
        "```",
        "",
        *(_LIMBECK_ONLY if facts.head == "linear" else ()),
        "The figures hold for texts like those it was trained on. Look at its errors on your own texts before relying",
        "on it.",
    )


def rewrite_card(bundle: Path, validation: AnyEvaluation, limits: Sequence[Limit]) -> bool:
    """Write the card of a saved model again, with limits that were found since; return whether it changed.

    Raises:
        BundleError: the bundle was changed since it was written.
        StorageError: it cannot be written.
    """
    where = bundle / FACTS_NAME
    card = any_card_text(parse_facts(storage.read_json(where), where=str(where)), validation, limits).encode()
    with storage.explained(bundle / CARD_NAME, doing="read"):
        if (bundle / CARD_NAME).read_bytes() == card:
            return False
    storage.replace_listed(bundle, CARD_NAME, card)
    return True


def _what(facts: BundleFacts) -> str:
    if facts.pair is None:
        return "a text"
    return f"a pair of texts, {_cell(facts.pair[0])} and {_cell(facts.pair[1])}, which it reads together,"


def _example(facts: BundleFacts) -> str:
    return '"your text"' if facts.pair is None else '("first text", "second text")'


def _window_line(facts: BundleFacts) -> str:
    """Say what is read of a long text, and where `transformers` reads something else."""
    if facts.window in (None, "head"):
        return f"- Texts are cut at {facts.max_tokens} tokens"
    said = said_window(Window(name=facts.window, max_tokens=facts.max_tokens))
    line = f"- Of a text longer than {facts.max_tokens} tokens it reads {said}"
    if facts.window == "all":
        line += f", and averages their {'features' if facts.head == 'linear' else 'logits'}"
    if facts.window != "tail" and facts.head == "classification":
        line += "; `transformers` has no such choice, and reads the first tokens alone"
    return line


def _row_counts(rows: Mapping[str, Any]) -> str:
    return ", ".join(f"{_cell(name)} {count:,} rows" for name, count in rows.items())


def _calibration_line(facts: BundleFacts, validation: Evaluation) -> str:
    found = validation.calibration
    beyond = "more than" if found.is_shown else "no more than"
    return (
        f"expected calibration error {found.ece.value:.4f} ({found.ece.low:.4f} – {found.ece.high:.4f}), {beyond} "
        f"chance; {_folded(facts)}"
    )


def _folded(facts: BundleFacts) -> str:
    """Say what the logits were divided by."""
    if facts.folded_temperature == 1:
        return "no temperature was applied"
    return f"a temperature of {facts.folded_temperature:.3f} is folded into the weights"


def _baseline_values(found: Evaluation) -> tuple[float, ...]:
    baseline = found.baseline
    return (baseline.accuracy, baseline.f1_weighted, baseline.f1_macro, baseline.log_loss)


def _measure_line(name: str, found: Measured, baseline: float) -> str:
    return f"| {name} | {found.value:.4f} | {found.between(4, ' – ')} | {baseline:.4f} |"


def _cell(text: str) -> str:
    """Keep a name from breaking out of a table cell, or from being read as markup."""
    flat = " ".join(text.split())
    for sign in "\\|`*_[]<>":
        flat = flat.replace(sign, "\\" + sign)
    return flat
