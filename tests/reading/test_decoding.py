"""Decoding: codecs by any of their names, marks that never leak, and the advice on encodings."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limbeck.errors import SettingsError
from limbeck.reading.decoding import MARK, check_encoding, decode_marked, replaced, suggest_encoding


@pytest.mark.parametrize(
    ("name", "codec"), [("UTF8", "utf-8"), ("CP949", "cp949"), ("EUC-KR", "euc_kr"), ("utf 16", "utf-16")]
)
def test_names_of_codecs(name: str, codec: str) -> None:
    """Any usual spelling is understood."""
    assert check_encoding(name) == codec


@pytest.mark.parametrize(
    ("name", "near"), [("cp994", "cp949"), ("euc-krr", "euc_kr"), ("utf-88", "utf_8"), ("latin", "latin")]
)
def test_near_names(name: str, near: str) -> None:
    """An unknown codec's error names those that are near."""
    if name == "latin":
        assert check_encoding(name)
        return
    with pytest.raises(SettingsError, match=near):
        check_encoding(name)


@pytest.mark.parametrize("name", ["base64", "hex", "rot13", "zip", "undefined", "", "nothing at all", "a\0b"])
def test_what_is_no_text_codec(name: str) -> None:
    """Codecs that give no text, and names of nothing, are refused."""
    with pytest.raises(SettingsError, match="not known"):
        check_encoding(name)


@given(st.binary(), st.sampled_from(["utf-8", "cp949", "euc-kr", "utf-16", "latin-1", "utf-32", "shift_jis"]))
def test_marks_stand_for_what_does_not_decode(content: bytes, encoding: str) -> None:
    """Where strict decoding succeeds there is no mark, where it fails there is one, and mending leaves none."""
    marked = decode_marked(content, encoding)
    try:
        assert marked == content.decode(encoding)
        assert MARK not in marked
    except UnicodeDecodeError:
        assert MARK in marked
    mended = replaced(marked)
    assert mended is not None
    mended.encode("utf-8")


KOREAN = "정말 재미있는 영화였어요. 다시 보고 싶습니다!\n" * 3


@pytest.mark.parametrize(
    ("content", "named", "advice"),
    [
        (KOREAN.encode("cp949"), "utf-8", "cp949"),
        (KOREAN.encode("utf-8"), "cp949", "utf-8"),
        (KOREAN.encode("utf-16"), "utf-8", "utf-16"),
        ("plain text\n".encode("utf-16-le"), "utf-8", "utf-16-le"),
        ("plain text\n".encode("utf-16-be"), "utf-8", "utf-16-be"),
        ("ひらがなとカタカナ\n".encode("shift_jis"), "utf-8", "shift_jis"),
        (KOREAN.encode("utf-8"), "utf-8", None),
        (b"plain", "utf-8", None),
        ("déjà vu, café\n".encode("latin-1"), "utf-8", "cp1252"),
        ("text,label\nIt’s fine,pos\ndon’t buy,neg\n".encode("cp1252"), "utf-8", "cp1252"),
        ("You’ve won £900! Call\nthey said “no” – twice\n".encode("cp1252"), "utf-8", "cp1252"),
        ("text,label\nfür später gut,pos\nschlecht überhitzt,neg\n".encode("latin-1"), "utf-8", "cp1252"),
        ("¿dónde está? mañana\nniño pequeño\n".encode("latin-1"), "utf-8", "cp1252"),
        ("text,label\nzły produkt łatwo pęka,neg\n".encode("cp1250"), "utf-8", "cp1250"),
        ("příliš žluťoučký kůň\n".encode("cp1250"), "utf-8", "cp1250"),
        ("text,label\nとても良い,good\n".encode("shift_jis"), "utf-8", "shift_jis"),
        ("text,label\nとても良い,good\n".encode("euc_jp"), "utf-8", "euc_jp"),
        ("text,label\n很好的产品,good\n".encode("gb18030"), "utf-8", "gb18030"),
        ("text,label\n這個東西很好,good\n你們不要買\n".encode("big5"), "utf-8", "big5"),
        ("очень хороший чайник\nплохой\n".encode("cp1251"), "utf-8", "cp1251"),
        (KOREAN.encode("utf-16-le"), "utf-8", "utf-16-le"),
        (f"리뷰\t감정\n{KOREAN}".encode("utf-16"), "utf-8", "utf-16"),
        (KOREAN.encode("cp949") + KOREAN.encode("utf-8"), "utf-8", None),
        (b"PK\x03\x04\0\0\x08\0" + bytes(range(256)), "utf-8", None),
    ],
)
def test_advice(tmp_path: Path, content: bytes, named: str, advice: str | None) -> None:
    """The encoding that fits is named; none is where no script tells."""
    path = tmp_path / "data.txt"
    path.write_bytes(content)
    assert suggest_encoding(path, named) == advice
