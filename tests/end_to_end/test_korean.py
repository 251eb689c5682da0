"""Korean reviews in cp949, from audit to corrected labels, with a multilingual encoder folder: Hangul all the way."""

import csv
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from tokenizers import Tokenizer as RawTokenizer
from tokenizers import models, normalizers, pre_tokenizers, processors

from limbeck.model.config import EncoderConfig
from limbeck.model.encoder import Encoder
from limbeck.model.loaded_encoder import write_encoder
from limbeck.tokens import SPECIAL_TOKENS, Tokenizer

pytestmark = pytest.mark.slow

REVIEWS = Path(__file__).parents[2] / "docs" / "data" / "korean_reviews.csv"
LABELS = {"긍정", "부정", "중립"}
CP949 = ("--encoding", "cp949")
DROP = "one-token,conflicts,exact-duplicates,near-duplicates"


def decodes(syllable):
    """Whether a syllable is one of the 2,350 of KS X 1001."""
    try:
        syllable.encode("euc-kr")
    except UnicodeEncodeError:
        return False
    return True


@pytest.fixture(scope="session")
def multilingual(tmp_path_factory):
    """A folder like distilbert-base-multilingual-cased, drawn weights: cased WordPiece of syllables, jamo and ASCII."""
    signs = [chr(code) for code in range(0x21, 0x7F)] + [chr(code) for code in range(0x3131, 0x3164)]
    signs += [syllable for syllable in map(chr, range(0xAC00, 0xD7A4)) if decodes(syllable)]
    words = [*SPECIAL_TOKENS, *signs, *(f"##{sign}" for sign in signs)]
    vocabulary = {word: number for number, word in enumerate(words)}
    raw = RawTokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))  # noqa: S106
    raw.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    raw.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    raw.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    raw.add_special_tokens(list(SPECIAL_TOKENS))
    torch.manual_seed(3)
    sizes = EncoderConfig(
        vocab_size=len(words), dim=64, n_layers=1, n_heads=4, hidden_dim=64, max_position_embeddings=64,
        initializer_range=0.3,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("multilingual")
    tokenizer = Tokenizer(json.loads(raw.to_str()), max_tokens=64, where="the tiny multilingual tokenizer")
    write_encoder(Encoder(sizes), tokenizer, folder)
    return folder


@pytest.fixture
def walk(limbeck):
    """Run a command that must end well."""

    def run(*words):
        ended = limbeck(*words)
        assert ended.status == 0, ended.err
        return ended.out

    return run


@pytest.fixture
def trained_on_reviews(walk, multilingual, tmp_path):
    """Audited, cleaned, split and trained: what the tutorial does."""
    walk("clean", REVIEWS, *CP949, "--drop", DROP, "--out", tmp_path / "CLEAN")
    shares = ("--validation-share", "0.2", "--test-share", "0.2")
    walk("split", tmp_path / "CLEAN" / "data", *shares, "--out", tmp_path / "SPLITS")
    flags = ("--encoder", multilingual, "--pooling", "layers", "--cache-dir", tmp_path / "cache")
    walk("train", tmp_path / "SPLITS", *flags, "--out", tmp_path / "RUN")
    return tmp_path


def test_without_the_encoding_it_is_named(limbeck, tmp_path):
    """Bytes that are no UTF-8 are refused, and what would read them is said."""
    ended = limbeck("train", REVIEWS, "--out", tmp_path / "RUN")
    assert ended.status == 3
    assert "--encoding cp949" in ended.err
    assert not (tmp_path / "RUN").exists()


def test_the_audit_finds_what_was_put_in(walk, multilingual, tmp_path):
    """A repeated text, one with two labels, a nearly equal one; the columns by their Korean names; Hangul as script."""
    said = walk("audit", REVIEWS, *CP949, "--encoder", multilingual, "--out", tmp_path / "AUDIT")
    assert "긍정" in said
    found = json.loads((tmp_path / "AUDIT" / "audit.json").read_text("utf-8"))
    assert set(found["shape"]["classes"]) == LABELS
    assert found["duplicates"]["exact"]["texts"] == 2
    assert found["conflicts"]["exact"]["label_pairs"] in ({"중립/부정": 1}, {"부정/중립": 1})
    assert found["duplicates"]["near"]["groups"] >= 1
    assert max(found["scripts"]["main"], key=found["scripts"]["main"].get) == "Hangul"
    fits = {one["name"]: one["unknown"] for one in found["tokenizer_fit"]}
    assert next(iter(fits.values())) == 0, fits
    assert "긍정" in (tmp_path / "AUDIT" / "audit.html").read_text("utf-8")


def test_an_encoder_of_another_language_is_said_wherever_it_matters(limbeck, tiny_folder, tmp_path):
    """Korean on an English vocabulary: training says it before and after, and the figures and the report keep it."""
    flags = ("--encoder", tiny_folder, "--pooling", "mean", "--cache-dir", tmp_path / "cache")
    ended = limbeck("train", REVIEWS, *CP949, *flags, "--out", tmp_path / "RUN")
    assert ended.status == 0, ended.err
    for screen in (ended.err, ended.out):
        assert "does not fit these texts" in " ".join(screen.split())
    [warning] = [one for one in json.loads((tmp_path / "RUN" / "metrics.json").read_text("utf-8"))["warnings"]
                 if one["kind"] == "vocabulary"]  # fmt: skip
    assert "[UNK]" in warning["text"]
    told = limbeck("predict", tmp_path / "RUN", "😀😀", "비가 온다", "i feel fine", "rain 온다 it is")
    assert told.status == 0, told.err
    assert "2 of 4 are mostly unknown to its vocabulary" in " ".join(told.out.split())
    ended = limbeck("predict", tmp_path / "RUN", "--input", REVIEWS, *CP949, "--output", tmp_path / "out.csv")
    assert "are mostly unknown to its vocabulary" in " ".join(ended.out.split())
    read = limbeck("predict", tmp_path / "RUN", "i feel fine", "it is rainy")
    assert "unknown" not in read.out


def test_from_cleaning_to_predictions(drawn, walk, trained_on_reviews):
    """No row is lost without a line in the log; the model answers in Hangul, on screen and in files."""
    here = trained_on_reviews
    removed = [json.loads(line) for line in (here / "CLEAN" / "removed.jsonl").read_text("utf-8").splitlines()]
    kept = sum(pq.read_table(path).num_rows for path in (here / "SPLITS").glob("*.parquet"))
    with REVIEWS.open(encoding="cp949", newline="") as file:
        assert kept + len(removed) == sum(1 for _ in csv.DictReader(file))
    assert {row["text"] for row in removed} >= {"가격만큼은 하는 것 같습니다", "ㅠㅠ"}

    scored = json.loads(walk("evaluate", here / "RUN", here / "SPLITS", "--json"))
    assert set(scored["test"]["per_class"]) == LABELS
    assert "긍정" in walk("evaluate", here / "RUN", here / "SPLITS")
    said = walk("predict", here / "RUN", "배송이 빨라서 정말 좋아요", "포장이 찢어져서 실망했습니다")
    assert "배송이 빨라서 정말 좋아요" in said
    assert any(label in said for label in LABELS)
    (here / "texts.csv").write_bytes("리뷰\n배송이 빨라서 정말 좋아요\n소리가 커서 잠을 못 잤어요\n".encode("cp949"))
    walk("predict", here / "RUN", "--input", here / "texts.csv", *CP949, "--output", here / "answers.jsonl")
    answers = [json.loads(line) for line in (here / "answers.jsonl").read_text("utf-8").splitlines()]
    assert [answer["text"] for answer in answers] == ["배송이 빨라서 정말 좋아요", "소리가 커서 잠을 못 잤어요"]
    assert {answer["prediction"] for answer in answers} <= LABELS
    assert (here / "RUN" / "pictures" / "confusion.png").stat().st_size > 10_000


def test_the_report_speaks_korean(walk, trained_on_reviews):
    """The page is in Korean, with the labels and texts as they are; its charts are whole."""
    here = trained_on_reviews
    walk("report", here / "RUN", "--lang", "ko", "--out", here / "report.html", "--cache-dir", here / "cache")
    page = (here / "report.html").read_text("utf-8")
    assert '<html lang="ko"' in page
    assert all(label in page for label in LABELS)
    assert "�" not in page


def test_labels_are_reviewed_in_korean_excel(walk, trained_on_reviews):
    """The sheet opens with Hangul, and one that Korean Excel saved in its own encoding is applied."""
    here = trained_on_reviews
    walk("labels", here / "RUN", "--out", here / "review.csv", "--cache-dir", here / "cache")
    with (here / "review.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["label"] for row in rows} <= LABELS
    rows[0]["new_label"] = "예"
    with (here / "review.csv").open("w", encoding="cp949", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    walk("labels", "apply", here / "review.csv", here / "SPLITS", "--out", here / "CORRECTED")
    with (here / "CORRECTED" / "changes.csv").open(encoding="utf-8-sig", newline="") as file:
        changed = list(csv.DictReader(file))
    assert len(changed) == 1
    assert changed[0]["row_id"] == rows[0]["row_id"]
