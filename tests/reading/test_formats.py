"""What a file is, whatever its name says; files without a suffix; the encoding is said first."""

import zipfile
from pathlib import Path

import pytest

from limbeck.errors import DataError
from limbeck.reading.read import read, read_with
from limbeck.settings import ReadSettings

NAMES = ["train.csv", "train.tsv", "train.txt", "train.jsonl", "train.json", "train.parquet", "train.xlsx", "train"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "Git LFS pointer.*git lfs pull"),
        (b"<!DOCTYPE html>\n<html>; sign in</html>\n", "web page"),
        (b"\xef\xbb\xbf\n <HTML><head>a;b</head>\n", "web page"),
    ],
)
@pytest.mark.parametrize("policy", ["error", "skip"])
def test_what_is_no_data_is_named(tmp_path: Path, name: str, content: bytes, says: str, policy: str) -> None:
    """A Git LFS pointer or a web page is told as that, once, under any name and policy."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=says) as caught:
        read(tmp_path / name, on_bad_row=policy)  # type: ignore[arg-type]  # parametrised
    assert "(1 fault)" in str(caught.value)


@pytest.mark.parametrize(("part", "says"), [("xl/workbook.xml", "name it .xlsx"), ("data.txt", "unpack it first")])
def test_archives_named_as_tables(tmp_path: Path, part: str, says: str) -> None:
    """A workbook and an archive named .csv are told apart, and no encoding is advised."""
    path = tmp_path / "data.csv"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", "x" * 100)
        archive.writestr(part, "x" * 100)
    with pytest.raises(DataError, match=says) as caught:
        read(path)
    assert "encoding" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("ham\tlate again\nspam\tfree\nham\tok\nspam\twin\n", "tab-separated"),
        ("text\tlabel\nlate again\tham\nfree\tspam\n", "tab-separated"),
        ("text,label\nlate again,ham\nfree,spam\n", "CSV"),
        ('{"text": "late again", "label": "ham"}\n{"text": "free", "label": "spam"}\n', "JSONL"),
        ('[{"text": "late again", "label": "ham"},\n{"text": "free", "label": "spam"}]\n', "JSON"),
        ("late again;ham\nfree;spam\n", "text, one row per line"),
    ],
)
def test_a_file_without_a_suffix_is_read_by_its_content(tmp_path: Path, content: str, what: str) -> None:
    """The format is told by the first lines, and which one is noted."""
    path = tmp_path / "SMSCollection"
    path.write_text(content)
    dataset = read(path)
    assert dataset.texts[:2] == ["late again", "free"]
    assert dataset.label_names == ("ham", "spam")
    assert f"read by their content as {what}" in dataset.notes[0].what


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt", "a.jsonl"])
@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("policy", ["error", "skip", "mend"])
def test_utf_16_is_said_once(tmp_path: Path, name: str, codec: str, policy: str) -> None:
    """A file of UTF-16 that is read as UTF-8 gives one fault, which names the encoding; with it the rows come."""
    content = "text\tlabel\r\ngood\tyes\r\nbad; but ok\tno\r\n"
    if name.endswith("csv"):
        content = content.replace("\t", ",")
    if name.endswith("jsonl"):
        content = '{"text": "good", "label": "yes"}\r\n{"text": "bad; but ok", "label": "no"}\r\n'
    (tmp_path / name).write_bytes(content.encode(codec))
    settings = ReadSettings(on_bad_row=policy)  # type: ignore[arg-type]  # parametrised
    with pytest.raises(DataError, match=rf"\(1 fault\)[\s\S]*try --encoding {codec}"):
        read_with(tmp_path / name, settings)
    dataset = read(tmp_path / name, encoding=codec)
    assert dataset.texts == ["good", "bad; but ok"]
    assert dataset.label_names == ("no", "yes")


@pytest.mark.parametrize("policy", ["error", "skip", "mend"])
def test_the_encoding_comes_before_the_columns(tmp_path: Path, policy: str) -> None:
    """A header that does not decode is no reason to speak of columns: the encoding that fits is said, and no more."""
    path = tmp_path / "reviews.csv"
    path.write_bytes("리뷰,감정\n정말 좋아요,긍정\n별로예요,부정\n".encode("cp949"))
    settings = ReadSettings(on_bad_row=policy, labels="optional")  # type: ignore[arg-type]  # parametrised
    with pytest.raises(DataError, match=r"\(1 fault\)[\s\S]*try --encoding cp949") as caught:
        read_with(path, settings)
    assert "no text column" not in str(caught.value)


def test_the_encoding_is_said_before_the_rows(tmp_path: Path) -> None:
    """The advice stands in the first line, above the rows at fault; an audit, which reads on, notes it."""
    path = tmp_path / "reviews.csv"
    path.write_bytes("text,label\n정말 좋아요,a\n별로예요,b\n".encode("cp949"))
    with pytest.raises(DataError) as caught:
        read_with(path)
    assert "try --encoding cp949 (2 faults)" in str(caught.value).splitlines()[0]
    dataset = read_with(path, ReadSettings(on_bad_row="mend", labels="optional"))
    assert any("try --encoding cp949" in note.what for note in dataset.notes)
