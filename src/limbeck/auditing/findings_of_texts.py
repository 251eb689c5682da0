"""Findings of texts: those that appear more than once, those that are wrong by themselves, and the tokens they become.

In: an audit's evidence. Out: `Finding` values, in no order. It does not know labels' names.
"""

from collections.abc import Iterator

from limbeck.auditing.findings import SHORT, Evidence, Finding, Severity, example_of
from limbeck.auditing.leaks_and_conflicts import FreeScore
from limbeck.auditing.rows import excerpt
from limbeck.auditing.token_limits import TokenLimit
from limbeck.auditing.tokenizer_fit import UNKNOWN_SHARE, TokenizerFit, grade_misfit
from limbeck.evaluation.counted import percent, quantity

MULTILINGUAL = "distilbert-base-multilingual-cased"

_TEXT_FINDINGS: dict[str, tuple[Severity, str, str]] = {
    "empty": ("high", "Texts are empty", "Run `limbeck clean DATA --drop empty`."),
    "white_space_only": (
        "high",
        "Texts consist of white space or invisible characters",
        "Run `limbeck clean DATA --drop empty`.",
    ),
    "no_token": (
        "high",
        "Texts leave no token: the tokenizer drops all of their characters",
        "The model reads them as empty and equal: remove them.",
    ),
    "equal_to_label": (
        "high",
        "Texts are equal to their label",
        "They teach the model to read labels: run `limbeck clean DATA --drop equal-to-label`.",
    ),
    "mojibake": (
        "medium",
        "Mojibake: characters broken by a wrong encoding",
        "Read the source again with its true encoding (--encoding cp1252, cp949, …); what is lost stays lost: "
        "`limbeck clean DATA --drop mojibake` removes the rows.",
    ),
    "control_characters": (
        "medium",
        "Texts contain control characters",
        "The tokenizer drops them; clean the source.",
    ),
    "decomposed_hangul": (
        "medium",
        "Hangul is decomposed (Unicode NFD), as macOS file names are",
        "A cased vocabulary sees other tokens than for the composed form: normalise the texts to NFC.",
    ),
    "html": (
        "low",
        "Texts contain HTML",
        "Tags and entities become tokens that mean nothing: remove them where the texts come from.",
    ),
    "invisible_characters": (
        "low",
        "Texts contain invisible characters (zero-width, direction, fillers)",
        "Texts that look equal may differ in them: remove them.",
    ),
    "one_token": ("low", "Texts are a single word", "Check that one word is enough for a label."),
    "urls": (
        "low",
        "Texts contain web addresses",
        "Addresses can give the label away; consider replacing them with one word.",
    ),
    "handles": (
        "low",
        "Texts contain @handles",
        "A model can learn who is spoken to instead of what is said; consider replacing them with one word.",
    ),
    "special_tokens": (
        "low",
        "Texts contain the tokenizer's own tokens, such as [SEP] or [MASK]",
        "A tokenizer reads them as its own signs, not as letters; write them in another way if you do not want that.",
    ),
}


def about_leaks(evidence: Evidence) -> Iterator[Finding]:
    """Tell of texts in more than one split."""
    leaks, rows = evidence.leaks, evidence.shape.rows
    if leaks.exact.texts:
        pairs = ", ".join(f"{pair} {count:,}" for pair, count in leaks.exact.pairs.items() if count)
        yield Finding(
            kind="leaks.exact",
            severity="high",
            title=f"The same text appears in more than one split ({pairs})",
            count=leaks.exact.texts,
            unit="texts",
            share=leaks.exact.rows / rows,
            example=example_of(leaks.exact.examples),
            advice=_free(leaks.free_exact)
            + "Run `limbeck clean DATA --drop leaks`, or `limbeck split DATA` for new splits.",
        )
    if leaks.near is not None and leaks.near.groups:
        pairs = ", ".join(f"{pair} {count:,}" for pair, count in leaks.near.pairs.items() if count)
        yield Finding(
            kind="leaks.near",
            severity="high",
            title=f"Nearly the same text appears in more than one split ({pairs})",
            count=leaks.near.groups,
            unit="groups",
            share=leaks.near.rows / rows,
            example=example_of(leaks.near.examples),
            advice=_free(leaks.free_near or {})
            + "Run `limbeck clean DATA --drop leaks,near-leaks`, or `limbeck split DATA`.",
        )
    if leaks.halves is not None and leaks.halves.texts:
        half = leaks.halves
        pairs = ", ".join(f"{pair} {count:,}" for pair, count in half.pairs.items() if count)
        yield Finding(
            kind="leaks.half",
            severity="medium",
            title="One of the two texts of a pair appears in more than one split, beside another text "
            f"({pairs}; the first text of {quantity(half.first, 'rows')}, the second of {half.second:,})",
            count=half.texts,
            unit="texts",
            share=half.rows / rows,
            example=example_of(half.examples),
            advice=_free(half.free_first, what="the first texts")
            + _free(half.free_second, what="the second texts")
            + "`limbeck split DATA` makes new splits, and keeps such pairs in one of them as far as the shares allow.",
        )


def about_conflicts(evidence: Evidence) -> Iterator[Finding]:
    """Tell of texts with more than one label."""
    conflicts, rows = evidence.conflicts, evidence.shape.rows
    if evidence.shape.task == "regression":
        yield from _about_numbers(evidence)
        return
    if conflicts.exact.texts:
        most = next(iter(conflicts.exact.label_pairs.items()), None)
        wrong = "wrong or missing" if evidence.shape.task == "multi" else "wrong"
        yield Finding(
            kind="conflicts.exact",
            severity="high",
            title="The same text has different labels" + (f" (most often {most[0]}, {most[1]:,})" if most else ""),
            count=conflicts.exact.texts,
            unit="texts",
            share=conflicts.exact.rows / rows,
            example=example_of(conflicts.exact.examples, by_label=True),
            advice=f"At least one label of each is {wrong}. Correct them (findings.csv has every row), or run "
            "`limbeck clean DATA --drop conflicts`: with --keep-majority the rows with the most "
            "frequent label stay, without it none.",
        )
    if conflicts.near is not None and conflicts.near.groups:
        yield Finding(
            kind="conflicts.near",
            severity="medium",
            title="Nearly the same text has different labels",
            count=conflicts.near.groups,
            unit="groups",
            share=conflicts.near.rows / rows,
            example=example_of(conflicts.near.examples),
            advice="Look at them: a changed word may change the meaning, or a label may be wrong.",
        )


def _about_numbers(evidence: Evidence) -> Iterator[Finding]:
    """Tell of texts with more than one number: that is noise of the numbers, and no fault."""
    exact = evidence.conflicts.exact
    if exact.texts:
        yield Finding(
            kind="conflicts.exact",
            severity="low",
            title="The same text has different numbers",
            count=exact.texts,
            unit="texts",
            share=exact.rows / evidence.shape.rows,
            example=example_of(exact.examples, by_label=True),
            advice="No model can tell them apart: how much they differ is an error that stays.",
        )


def about_duplicates(evidence: Evidence) -> Iterator[Finding]:
    """Tell of texts that stand there more than once."""
    duplicates, rows = evidence.duplicates, evidence.shape.rows
    if duplicates.exact.texts:
        yield Finding(
            kind="duplicates.exact",
            severity="medium",
            title=f"The same text appears more than once ({quantity(duplicates.exact.surplus, 'rows')} too many)",
            count=duplicates.exact.texts,
            unit="texts",
            share=duplicates.exact.rows / rows,
            example=example_of(duplicates.exact.examples),
            advice="Run `limbeck clean DATA --drop exact-duplicates`, unless the repeats are intended.",
        )
    if duplicates.near is not None and duplicates.near.groups:
        yield Finding(
            kind="duplicates.near",
            severity="medium" if duplicates.near.rows > 0.01 * rows else "low",
            title=f"Texts are nearly the same (similarity of {duplicates.near.threshold:g} or more)",
            count=duplicates.near.groups,
            unit="groups",
            share=duplicates.near.rows / rows,
            example=example_of(duplicates.near.examples),
            advice="Keep each group in one split (limbeck split does), or run "
            "`limbeck clean DATA --drop near-duplicates`.",
        )
    if duplicates.folded.groups:
        parts = (
            ("Unicode form", duplicates.unicode),
            ("white space", duplicates.white_space),
            ("case", duplicates.case),
        )
        by_itself = ", ".join(f"{name} {part.groups:,}" for name, part in parts if part.groups)
        yield Finding(
            kind="duplicates.folded",
            severity="low",
            title="Texts differ only in Unicode form, white space or case" + (f" ({by_itself})" if by_itself else ""),
            count=duplicates.folded.groups,
            unit="groups",
            share=duplicates.folded.rows / rows,
            example=example_of(duplicates.folded.examples),
            advice="An uncased model reads them as one text: treat them as duplicates.",
        )


def _free(scores: dict[str, FreeScore], what: str = "the texts") -> str:
    """Say what memory alone gets right."""
    told = [
        f"In {name}, training has {what} of {score.seen:,} of {score.rows:,} rows, and "
        + (
            f"looking them up gets {score.right:,} right: {100 * score.accuracy:.2f} points of accuracy for nothing"
            if score.right
            else "their labels differ, so looking them up gets none right"
        )
        for name, score in scores.items()
        if score.seen
    ]
    return ". ".join(told) + ". " if told else ""


def about_texts(evidence: Evidence) -> Iterator[Finding]:
    """Tell of texts that are wrong by themselves."""
    for kind, (severity, title, advice) in _TEXT_FINDINGS.items():
        fault = evidence.faults[kind]
        if fault.rows:
            first = fault.examples[0]
            undecodable = evidence.faults["replacement_character"].rows if kind == "mojibake" else 0
            lost = (
                f"; {quantity(undecodable, 'rows')} with bytes that could not be read (U+FFFD)" if undecodable else ""
            )
            yield Finding(
                kind=f"faults.{kind}",
                severity=severity,
                title=title + lost,
                count=fault.rows,
                unit="rows",
                share=fault.share,
                example=f"{first.row_id}: {excerpt(first.text, 2 * SHORT)!r}",
                advice=advice,
            )


def about_tokens(evidence: Evidence) -> Iterator[Finding]:
    """Tell of a vocabulary that does not fit, and of texts that are cut."""
    chosen = evidence.tokenizer_fit[0] if evidence.tokenizer_fit else None
    misfit = grade_misfit(chosen.unknown_share, chosen.tokens_per_word) if chosen else None
    if chosen and misfit:
        main = next(iter(evidence.scripts.main), "no script")
        share = next(iter(evidence.scripts.letters.values()), 0.0)
        yield Finding(
            kind="tokens.misfit",
            severity=misfit,
            title=f"The vocabulary of {chosen.name} does not fit these texts ({main}, {percent(share)} of the letters)",
            # Without an unknown token it is words that fall into pieces, in texts of any kind.
            count=chosen.texts_with_unknown or evidence.shape.rows,
            unit="texts with [UNK]" if chosen.texts_with_unknown else "texts",
            share=(chosen.texts_with_unknown or evidence.shape.rows) / max(1, evidence.shape.rows),
            example=f"{chosen.tokens_per_word:.2f} tokens per word, "
            f"{percent(chosen.unknown_share)} of the tokens are [UNK]",
            advice=_mend_first(evidence) or _other_vocabulary(evidence.tokenizer_fit, main),
        )
    if evidence.recommended and evidence.limits:
        row = next(row for row in evidence.limits if row.limit == evidence.recommended.limit)
        if row.tokens_lost > 0.01:
            yield Finding(
                kind="tokens.truncation",
                severity="medium",
                title=f"Texts are too long: a limit of {row.limit} loses {percent(row.tokens_lost)} of the tokens",
                count=round(row.texts_cut * evidence.shape.rows),
                unit="texts",
                share=row.texts_cut,
                example=_worst_class(row),
                advice=f"Take {row.limit}: {evidence.recommended.reason}. Of longer texts --window tail or both may be "
                "worth more than head; auto tries them on training rows.",
            )


def _mend_first(evidence: Evidence) -> str:
    """Say that broken characters, not the language, may be what the vocabulary lacks."""
    broken = evidence.faults["mojibake"].rows
    if 2 * broken < evidence.tokenizer_fit[0].texts_with_unknown or not broken:
        return ""
    rows = quantity(broken, "rows")
    return f"{rows} contain mojibake: read the data with their true encoding first, then audit them again."


def _other_vocabulary(fits: tuple[TokenizerFit, ...], script: str) -> str:
    """Say which preset to take instead, with numbers where it is here to be measured."""
    chosen = fits[0]
    better = [
        fit
        for fit in fits[1:]
        if fit.unknown_share < chosen.unknown_share or fit.tokens_per_word < 0.8 * chosen.tokens_per_word
    ]
    if better:
        best = min(better, key=lambda fit: (fit.unknown_share > UNKNOWN_SHARE, fit.tokens_per_word))
        return (
            f"Take {best.name}: {best.tokens_per_word:.2f} tokens per word, {percent(best.unknown_share)} [UNK] here, "
            f"against {chosen.tokens_per_word:.2f} and {percent(chosen.unknown_share)}."
        )
    if MULTILINGUAL in (fit.name for fit in fits):
        return f"None of the tokenizers here fits better; look for a model made for {script}."
    korean = ", Korean among them" if script == "Hangul" else ""
    return (
        f"Take {MULTILINGUAL} instead (its vocabulary covers 104 languages{korean}): it is not on this machine, so "
        "it could not be measured; get its folder and give --encoder FOLDER beside this one to see its numbers."
    )


def _worst_class(row: TokenLimit) -> str:
    if not row.tokens_lost_by_class:
        return f"{percent(row.texts_cut)} of the texts are cut"
    name, lost = max(row.tokens_lost_by_class.items(), key=lambda item: item[1])
    return f"class {excerpt(name, 40)} loses most: {percent(lost)} of its tokens"
