import json
from dataclasses import fields

import pytest

from limbeck.auditing.audit import Audit, audit
from limbeck.auditing.findings import SEVERITIES
from limbeck.data.dataset import ReadNote
from limbeck.errors import DataError, SettingsError
from limbeck.settings import AuditSettings

KOREAN = ["오늘은 정말 기분이 좋다", "비가 와서 조금 슬프다", "친구를 만나 즐거웠다", "시험이 끝나서 홀가분하다"]


def test_keys_are_the_fields_in_their_order(make_dataset, tiny_tokenizer) -> None:
    """audit.json is plain JSON, has the documented keys in the documented order, and is the same each time."""
    dataset = make_dataset(["a b", "a b", "c"], ["x", "y", "x"])
    found = audit(dataset, tokenizers={"tiny": tiny_tokenizer})
    written = json.dumps(found.to_json(), allow_nan=False)
    assert list(found.to_json()) == [field.name for field in fields(Audit)]
    assert written == json.dumps(audit(dataset, tokenizers={"tiny": tiny_tokenizer}).to_json(), allow_nan=False)


def test_findings_are_worst_first_and_complete(make_dataset) -> None:
    """Each finding has a count, an example and advice; severities never rise."""
    texts = ["", "same text", "same text", "see www.example.org", "joy", "broken â€™ text"]
    dataset = make_dataset(texts, ["joy", "joy", "sad", "joy", "joy", "sad"], ["train"] * 2 + ["test"] * 4)
    findings = audit(dataset).findings
    ranks = [SEVERITIES.index(finding.severity) for finding in findings]
    assert ranks == sorted(ranks)
    kinds = {finding.kind for finding in findings}
    assert {"leaks.exact", "conflicts.exact", "duplicates.exact", "faults.empty", "faults.mojibake"} <= kinds
    assert {"faults.equal_to_label", "faults.urls"} <= kinds
    for finding in findings:
        assert finding.count > 0
        assert finding.example
        assert finding.advice
        assert 0 <= finding.share <= 1


def test_one_of_a_kind_is_said_in_the_singular(make_dataset) -> None:
    """Counts read as a person would say them."""
    found = {finding.kind: finding for finding in audit(make_dataset(["", "a b", "c d"])).findings}
    assert found["faults.empty"].counted == "1 row"


def test_clean_data_has_no_finding(make_dataset) -> None:
    """Nothing is made up."""
    texts = [f"a sentence about {thing} on some day" for thing in ("rain", "wind and storms", "trains", "a long walk")]
    assert audit(make_dataset(texts * 1, ["x", "y", "x", "y"])).findings[:0] == ()
    kinds = {finding.kind for finding in audit(make_dataset(texts, ["x", "y", "x", "y"])).findings}
    assert kinds <= {"labels.too_rare_to_split", "labels.too_rare_to_learn"}


def test_reading_notes_become_findings(make_dataset) -> None:
    """Rows that the reader left out weigh high: the audit could not see them."""
    from dataclasses import replace

    note = ReadNote(what="rows with something else than a text, left out", rows=7, example="data.csv, row 3")
    found = audit(replace(make_dataset(["a b", "c d"]), notes=(note,)))
    reading = next(finding for finding in found.findings if finding.kind == "reading")
    assert (reading.severity, reading.count, reading.example) == ("high", 7, "data.csv, row 3")


def test_korean_with_an_english_vocabulary(make_dataset, tiny_tokenizer) -> None:
    """The misfit is measured and the multilingual preset named; measured beside it, its numbers are given."""
    dataset = make_dataset(KOREAN)
    alone = {finding.kind: finding for finding in audit(dataset, tokenizers={"minilm": tiny_tokenizer}).findings}
    assert alone["tokens.misfit"].severity == "high"
    assert "distilbert-base-multilingual-cased" in alone["tokens.misfit"].advice
    fit = audit(dataset, tokenizers={"minilm": tiny_tokenizer}).tokenizer_fit[0]
    assert fit.unknown_share == 1.0
    assert fit.texts_with_unknown == 4
    assert audit(dataset).scripts.main == {"Hangul": 4}


def test_broken_letters_advise_no_other_vocabulary(make_dataset, tiny_tokenizer) -> None:
    """What a wrong encoding made is no language: first the true encoding, and no model for Korean."""
    texts = [text.encode("cp1252").decode("cp949") for text in ("it’s a good one, isn’t it", "I don’t know, can’t say")]
    found = audit(make_dataset(texts), tokenizers={"minilm": tiny_tokenizer}).findings
    advice = next(finding.advice for finding in found if finding.kind == "tokens.misfit")
    assert advice == "2 rows contain mojibake: read the data with their true encoding first, then audit them again."


def test_a_better_tokenizer_that_is_here_is_named_with_its_numbers(make_dataset, tiny_tokenizer) -> None:
    """Side by side, the one with fewer [UNK] is advised."""
    from limbeck.tokens import Tokenizer

    definition = json.loads(tiny_tokenizer.content)
    words = sorted({word for text in KOREAN for word in text.split()})
    import unicodedata

    for word in words:
        bare = unicodedata.normalize("NFD", word)
        definition["model"]["vocab"].setdefault(bare, len(definition["model"]["vocab"]))
    korean = Tokenizer(definition, max_tokens=24, where="a Korean tokenizer")
    found = audit(make_dataset(KOREAN), tokenizers={"minilm": tiny_tokenizer, "korean": korean})
    advice = next(finding.advice for finding in found.findings if finding.kind == "tokens.misfit")
    assert advice.startswith("Take korean: 1.00 tokens per word, 0 % [UNK]")


def test_unlabelled_and_empty_texts_are_audited(make_dataset, tiny_tokenizer) -> None:
    """No labels, empty texts, one row: figures, not exceptions."""
    found = audit(make_dataset(["", " "], [None, None]), tokenizers={"tiny": tiny_tokenizer})
    assert found.shape.unlabelled_rows == 2
    assert found.tokens is not None
    assert found.tokens.total == 4
    assert found.faults["empty"].rows == found.faults["white_space_only"].rows == 1


def test_no_rows_are_refused(make_dataset) -> None:
    """There is nothing to say about nothing."""
    with pytest.raises(DataError, match="has no rows"):
        audit(make_dataset([]))


@pytest.mark.parametrize(
    "settings",
    [AuditSettings(near_threshold=0.3), AuditSettings(near_threshold=1.1), AuditSettings(limits=()),
     AuditSettings(limits=(128, 64)), AuditSettings(limits=(1, 64))],
)  # fmt: skip
def test_impossible_settings_are_refused(make_dataset, settings: AuditSettings) -> None:
    """Out of range, not rising, too small."""
    with pytest.raises(SettingsError, match="is not possible"):
        audit(make_dataset(["a b"]), settings)
