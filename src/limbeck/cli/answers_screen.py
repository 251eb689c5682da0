"""How answers to texts are shown: labels with their probabilities, labels that are given, numbers and intervals."""

from typing import TYPE_CHECKING

from limbeck.cli import screen

if TYPE_CHECKING:
    from limbeck.evaluation.multi_predictions import MultiPredictions
    from limbeck.evaluation.prediction_tables import AnyPredictions
    from limbeck.evaluation.value_predictions import ValuePredictions


def show_predictions(found: "AnyPredictions", *, top_k: int | None) -> None:
    """Show each text with its most probable labels, or with those that it is given."""
    from limbeck.evaluation.multi_predictions import MultiPredictions
    from limbeck.evaluation.value_predictions import ValuePredictions
    from limbeck.inference.answers import classes_of

    if isinstance(found, MultiPredictions):
        _show_given(found, top_k)
        return
    if isinstance(found, ValuePredictions):
        _show_numbers(found)
        return
    found = classes_of(found)
    top_k = 1 if top_k is None else top_k
    unsure = found.unsure if found.unsure is not None else [False] * len(found)
    top = found.top_k(max(top_k, 2) if any(unsure) else top_k)
    rows = []
    for text, labels, shares, is_unsure in zip(found.texts or (), top.labels, top.probabilities, unsure, strict=True):
        said = [f"{found.label_names[label]} {share:.3f}" for label, share in zip(labels, shares, strict=True)]
        listed = ", ".join(said if is_unsure else said[:top_k])
        rows.append([screen.shortened(text), f"unsure ({listed})" if is_unsure else listed])
    screen.show_table("Predictions (label and probability)", ["text", "label"], rows)
    if found.count_cut or found.count_unread:
        screen.show_line(screen.say_read(found))


def _show_numbers(found: "ValuePredictions") -> None:
    """Show each text with its number, and from where to where the true one lies."""
    width = found.width
    rows = [
        [
            screen.shortened(text),
            f"{value:.4g}",
            *([] if width is None else [f"{value - width.half_width:.4g} to {value + width.half_width:.4g}"]),
        ]
        for text, value in zip(found.texts or (), found.answers, strict=True)
    ]
    screen.show_table(
        "Predictions", ["text", "number", *([] if width is None else [f"{width.level:.0%} interval"])], rows
    )
    if width is not None:
        screen.show_line(width.said)
    if found.count_cut or found.count_unread:
        screen.show_line(screen.say_read(found))


def _show_given(found: "MultiPredictions", top_k: int | None) -> None:
    """Show each text with the labels that it is given, the most probable first, or with its first `top_k`."""
    rows = []
    ranked = found.top_k(top_k or len(found.label_names))
    for row, (text, labels, shares) in enumerate(
        zip(found.texts or (), ranked.labels, ranked.probabilities, strict=True)
    ):
        given_C = found.decided_NC[row]
        said = [
            f"{found.label_names[label]} {share:.3f}" + ("" if given_C[label] else " (not given)")
            for label, share in zip(labels, shares, strict=True)
            if top_k is not None or given_C[label]
        ]
        rows.append([screen.shortened(text), ", ".join(said) or "(none)"])
    screen.show_table("Predictions (labels that are given, and their probability)", ["text", "labels"], rows)
    if found.count_cut or found.count_unread:
        screen.show_line(screen.say_read(found))
