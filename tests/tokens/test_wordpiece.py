"""WordPiece in C++: the very ids of the library `tokenizers`, for any text, and that library where it cannot serve."""

import copy
import json
import pickle
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, normalizers, pre_tokenizers
from tokenizers import Tokenizer as RawTokenizer

from limbeck.errors import DataError
from limbeck.native.kernels import NoKernels
from limbeck.native.libraries import FoundLibrary
from limbeck.tokens import Tokenizer, Window, wordpiece
from limbeck.tokens.wordpiece import NativeWordPiece, find_wordpiece, open_wordpiece, tokenizing_threads, why_not_served

KINDS: dict[str, tuple[bool, bool, bool | None, bool]] = {
    "uncased": (True, True, None, True),
    "cased": (True, True, None, False),
    "lower case with accents": (True, True, False, True),
    "capitals without accents": (True, True, True, False),
    "not cleaned": (False, False, None, True),
    "as it is": (False, False, False, False),
}
"""clean_text, handle_chinese_chars, strip_accents, lowercase."""
SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORDS = (
    "un",
    "##aff",
    "##able",
    "feel",
    "##ing",
    "슬픔",
    "##픔",
    "한국",
    "##어",
    "東",
    "naive",
    "##ïve",
    "ab",
    "##ab",
    "b",
)
RANGES = ((0x21, 0x2000), (0x302A, 0x3100), (0x4E00, 0x4E80), (0xAC00, 0xAC80), (0x1D157, 0x1D173), (0x1F300, 0x1F680))
HOSTILE = (
    "",
    " ",
    "\x00",
    "\ufffd",
    "a\x00b\ufffdc\x01d\x0be\x7ff\x85g\xadh\u200bi\u2028j\u3000k\ufeffl\ue000m\U000f0000n\u0378o\U0010ffff",
    "\t\n\r \u00a0\u1680\u2003\u202f\u205f",
    "family \U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    "\U0001f3f4\U000e0067\U000e007f, ❤\ufe0f, \U0001f1f0\U0001f1f7",
    "e\u0301\u0327 e\u0327\u0301 a\u0315\u0334\u0300b \u0301start",
    "o\U0001d165\u0301\U0001d16d\u302e\u0315\u302fx \u1b44\u0334\u094d \u302f\u1b44\U0001d16d",
    "a\u302f\x01\u1b44b a\u302f\ufe0f\u1b44b a\u302f \u1b44b",
    "\u0344\u0f73\u0f75\u0f81 \u0958 \u09cb \U0001d15e\U0001d160\U0001d1c0",
    "İSTANBUL ıI ΣΑΣ ß ẞ ǅ Ǆ ﬁ Ⱥ Ⱦ K Å Ω \U00010400 \u1e9e \u2160 \U0001e900",
    "東京タワーは高い。㐀豈\U0002f800\U00020000x",
    "한국어를 배운다 " + unicodedata.normalize("NFD", "한국어를 배운다") + " \u1100\u1161\u11a8 ㅎㅏㄴ",
    "¿¡«»“”‘’…—·‧、。「」（）！ $+<=>^`|~ ¢£¤¥₩€ × ÷ ± ² № ٪ ؟",
    "don't!!! #hash ##hash a_b x@y.z http://a.b/c?d=e&f 3.14 1,000",
    "[CLS][SEP] [MASK]x[PAD]y[UNK] [sep] [SEP [[SEP]] [ SEP ] [MASK",
    "[SEP]\u0301e\u0301[SEP]\u302f\u1b44[SEP]",
    "a" * 99 + " " + "a" * 100 + " " + "a" * 101,
    "é" * 99 + " " + "é" * 100 + " " + "é" * 101,
    "e\u0301" * 100 + " " + "e\u0301" * 101,
    "각" * 33 + " " + "각" * 34 + " " + "각" * 100 + " " + "각" * 101,
    "ab" * 50_000,
    "é" * 100_000,
    "\u0301" * 3000,
    "\u302f\u1b44\U0001d165" * 900,
    "." * 10_000,
    "𝕬𝖇 ｆｕｌｌ １２ ⅷ ²",
)
PIECES = st.one_of(
    st.text(max_size=8),
    st.text("abeioEÀéïİΣσ각픔東\u0301\u0327\u302f\u1b44\ufe0f\u200d\x00\x0b\ufffd .!#[]", max_size=12),
    st.sampled_from((*SPECIALS, *WORDS, *(text for text in HOSTILE if len(text) < 300))),
)


def content_of(kind: str, **changes: Any) -> str:
    """A tokenizer.json with the normalizer of a kind, and words and single characters as its tokens."""
    clean, chinese, strip, lower = KINDS[kind]
    characters = [chr(code) for first, last in RANGES for code in range(first, last + 1) if not 0xD800 <= code < 0xE000]
    tokens = dict.fromkeys((*SPECIALS, *WORDS, *characters, *(f"##{one}" for one in characters)))
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    definition = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": place, "content": token, **flags} for place, token in enumerate(SPECIALS)],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": clean,
            "handle_chinese_chars": chinese,
            "strip_accents": strip,
            "lowercase": lower,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
        "decoder": None,
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {token: place for place, token in enumerate(tokens)},
        },
    }
    return json.dumps({**definition, **changes})


def opened(content: str) -> tuple[NativeWordPiece, RawTokenizer]:
    """Open a tokenizer in both ways; a machine without the library and a compiler skips the test."""
    raw = RawTokenizer.from_str(content)
    native = open_wordpiece(content, raw)
    if isinstance(native, NoKernels):
        library = find_wordpiece()
        if isinstance(library, NoKernels):
            pytest.skip(f"no WordPiece in C++: {library.reason}")
        pytest.fail(native.reason)
    return native, raw


def both(native: NativeWordPiece, raw: RawTokenizer, texts: list[str]) -> tuple[list[list[int]], list[list[int]]]:
    """What C++ and the library make of texts."""
    ids_T, sizes_N = native.encode(texts)
    own = [part.tolist() for part in np.split(ids_T, np.cumsum(sizes_N)[:-1])] if texts else []
    return own, [encoding.ids for encoding in raw.encode_batch_fast(texts)]


@pytest.fixture(scope="module", params=KINDS)
def pair(request: pytest.FixtureRequest) -> tuple[NativeWordPiece, RawTokenizer]:
    """Every kind of tokenizer, in both ways."""
    return opened(content_of(request.param))


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_hostile_texts_have_the_ids_of_the_library(pair, number: int) -> None:
    """Alone, between words, doubled, in capitals, composed and decomposed."""
    text = HOSTILE[number]
    forms = (
        text,
        f"feel{text}ing",
        text + text,
        text.upper(),
        *(unicodedata.normalize(f, text) for f in ("NFC", "NFD")),
    )
    own, theirs = both(*pair, list(forms))
    assert own == theirs


@given(st.lists(st.lists(PIECES, max_size=6).map("".join), max_size=5))
def test_drawn_texts_have_the_ids_of_the_library(pair, texts: list[str]) -> None:
    """Any text, and any number of them at once."""
    own, theirs = both(*pair, texts)
    assert own == theirs


def test_words_are_cut_into_the_longest_tokens() -> None:
    """Known words by hand: the longest first, what goes on from its own tokens, and unknown as a whole."""
    native, raw = opened(content_of("uncased"))
    ids_T, sizes_N = native.encode(["unaffable FEELING", "ab\u2603 東!"])
    assert sizes_N.tolist() == [7, 5]
    assert [raw.id_to_token(one) for one in ids_T.tolist()] == [
        *("[CLS]", "un", "##aff", "##able", "feel", "##ing", "[SEP]"),
        *("[CLS]", "[UNK]", "東", "!", "[SEP]"),
    ]


def test_other_prefixes_and_limits_are_kept() -> None:
    """An empty prefix, a prefix of letters, an unknown token of another name, words of at most three characters."""
    # The library tries every end of a word: its time grows with the square of a word's length.
    texts = ["abab xab xabxb ab abb é" + "ab" * 99, *(text for text in HOSTILE if len(text) < 1000)]
    for prefix, most in (("", 100), ("x", 100), ("##", 3), ("##", 0), ("##", 10**12)):
        model = json.loads(content_of("uncased"))["model"]
        model["vocab"] |= {"xab": len(model["vocab"]), "xb": len(model["vocab"]) + 1}
        model |= {"continuing_subword_prefix": prefix, "max_input_chars_per_word": most, "unk_token": "[MASK]"}
        own, theirs = both(*opened(content_of("uncased", model=model)), texts)
        assert own == theirs


@pytest.mark.parametrize("added", [True, False])
@pytest.mark.parametrize("goes_on", [True, False])
def test_vocabularies_without_a_kind_of_token_are_served(added: bool, goes_on: bool) -> None:
    """No token goes on with a word, no token is added, or neither: kinds of tokens may be empty."""
    content = json.loads(content_of("uncased"))
    if not added:
        content["added_tokens"] = []
    if not goes_on:
        words = [word for word in content["model"]["vocab"] if not word.startswith("##")]
        content["model"]["vocab"] = {word: place for place, word in enumerate(words)}
    own, theirs = both(*opened(json.dumps(content)), [text for text in HOSTILE if len(text) < 1000])
    assert own == theirs


def test_added_tokens_are_found_first() -> None:
    """The longest of those that begin at a place, with spaces and capitals in them; ids are those of the vocabulary."""
    content = json.loads(content_of("uncased"))
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False}
    for number, token in enumerate(("[SEP] [SEP]", "New York", "é", "feel", "각", "[")):
        content["added_tokens"].append({"id": len(content["model"]["vocab"]) + number, "content": token, **flags})
    native, raw = opened(json.dumps(content))
    texts = [
        "[SEP] [SEP][SEP]  [SEP]",
        "in New York, new york",
        "feeling É é e\u0301",
        "각각 한각",
        "[CLS [[MASK]",
        *HOSTILE,
    ]
    own, theirs = both(native, raw, texts)
    assert own == theirs


def test_many_texts_in_many_threads_are_those_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads share texts, and callers share a tokenizer: ids and their order stay."""
    native, raw = opened(content_of("uncased"))
    texts = [f"{text[:500]} {number}" for number in range(60) for text in HOSTILE]
    theirs = [encoding.ids for encoding in raw.encode_batch_fast(texts)]
    for threads in ("1", "2", "7"):
        monkeypatch.setenv("RAYON_NUM_THREADS", threads)
        with ThreadPoolExecutor(3) as callers:
            for ids_T, sizes_N in callers.map(native.encode, [texts] * 3):
                assert sizes_N.tolist() == [len(ids) for ids in theirs]
                assert ids_T.tolist() == [one for ids in theirs for one in ids]


@pytest.mark.parametrize("name", ["head", "tail", "both", "all"])
def test_what_is_read_does_not_depend_on_who_tokenizes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every window and limit, rows and what is told of them."""
    native, other = (Tokenizer(json.loads(content_of("uncased")), max_tokens=64, where="here") for _ in range(2))
    monkeypatch.setattr(other, "_native", NoKernels(reason="not in this test"))
    texts = [f"{text[:300]} {number}" for number in range(3) for text in HOSTILE]
    for limit in (3, 8, 64):
        read, again = (one.read(texts, Window(name=name, max_tokens=limit)) for one in (native, other))
        for found, wanted in (
            *((getattr(read.rows, field), getattr(again.rows, field)) for field in ("ids", "offsets", "cut_tokens")),
            *((getattr(read, field), getattr(again, field)) for field in ("first_N1", "lengths", "overlap_R")),
        ):
            assert found.dtype == wanted.dtype
            assert found.tolist() == wanted.tolist()


def test_half_of_a_surrogate_pair_is_named() -> None:
    """Neither way takes it, and the message is the same."""
    messages = []
    for reason in (None, NoKernels(reason="not in this test")):
        tokenizer = Tokenizer(json.loads(content_of("uncased")), max_tokens=64, where="here")
        tokenizer._native = reason
        for missing in ([], [None]):
            with pytest.raises(DataError) as caught:
                tokenizer.encode(["fine", "so\ud800", "\udfff", b"bytes", *missing])  # type: ignore[list-item]
            messages.append(str(caught.value))
    assert messages[:2] == messages[2:]
    assert "text 1, character 2: '\\ud800' is half of a surrogate pair" in messages[0]
    assert ["3 faults" in messages[0], "4 faults" in messages[1]] == [True, True]


def test_a_copy_opens_its_own() -> None:
    """A tokenizer may be copied and pickled as before."""
    tokenizer = Tokenizer(json.loads(content_of("uncased")), max_tokens=64, where="here")
    wanted = tokenizer.encode(list(HOSTILE)).ids.tolist()
    for other in (copy.deepcopy(tokenizer), pickle.loads(pickle.dumps(tokenizer))):  # noqa: S301  # our own bytes
        assert other.native() is not tokenizer.native()
        assert other.encode(list(HOSTILE)).ids.tolist() == wanted


def _changed(part: str, value: Any) -> dict[str, Any]:
    return {**json.loads(content_of("uncased")), part: value}


def _with_token(**flags: bool) -> dict[str, Any]:
    usual = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False}
    content: dict[str, Any] = json.loads(content_of("uncased"))
    token = {"id": len(content["model"]["vocab"]), "content": "New", **usual, **flags}
    return {**content, "added_tokens": [*content["added_tokens"], token]}


@pytest.mark.parametrize(
    ("definition", "reason"),
    [
        (_changed("normalizer", None), "its normalizer is missing"),
        (_changed("normalizer", json.loads(normalizers.Lowercase().__getstate__())), "its normalizer is Lowercase"),
        (
            _changed("pre_tokenizer", json.loads(pre_tokenizers.Whitespace().__getstate__())),
            "is Whitespace, not BertPre",
        ),
        (_with_token(single_word=True), "its added token 'New' is single_word"),
        (_with_token(lstrip=True, rstrip=True), "its added token 'New' is lstrip and rstrip"),
        (_with_token(normalized=True), "its added token 'New' is normalized"),
    ],
)
def test_what_is_not_served_is_left_to_the_library(definition: dict[str, Any], reason: str) -> None:
    """The reason names the part; ids are the library's, and a user sees no difference."""
    assert reason in str(why_not_served(definition))
    tokenizer = Tokenizer(definition, max_tokens=64, where="here")
    native = tokenizer.native()
    assert isinstance(native, NoKernels)
    assert reason in native.reason
    raw = RawTokenizer.from_str(tokenizer.content)
    assert tokenizer.encode(["a New New York"]).ids.tolist() == raw.encode("a New New York").ids


def test_a_library_that_does_otherwise_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the installed `tokenizers` does not give the ids of C++, it makes them itself, and the reason says so."""
    content = content_of("uncased")
    opened(content)
    other = RawTokenizer.from_str(content)
    other.add_tokens([AddedToken("naïve")])
    found = open_wordpiece(content, other)
    assert isinstance(found, NoKernels)
    assert 'its ids are not those of the installed tokenizers for "The U.S.' in found.reason


def test_without_a_library_the_other_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a compiler tokenizes, and says why not in C++."""
    monkeypatch.setattr(wordpiece, "_KNOWN", [NoKernels(reason="no C++ compiler was found")])
    tokenizer = Tokenizer(json.loads(content_of("uncased")), max_tokens=64, where="here")
    assert tokenizer.native() == NoKernels(reason="no C++ compiler was found")
    assert tokenizer.encode(["feeling"]).ids.tolist() == RawTokenizer.from_str(tokenizer.content).encode("feeling").ids


@pytest.mark.parametrize(
    ("environment", "threads"),
    [
        ({"RAYON_NUM_THREADS": "3", "OMP_NUM_THREADS": "5"}, 3),
        ({"OMP_NUM_THREADS": "5"}, 5),
        ({"OMP_NUM_THREADS": "4,2"}, 4),
        ({"RAYON_NUM_THREADS": "0", "OMP_NUM_THREADS": "2"}, 2),
        ({"RAYON_NUM_THREADS": "3", "TOKENIZERS_PARALLELISM": "false"}, 1),
        ({"RAYON_NUM_THREADS": "3", "TOKENIZERS_PARALLELISM": "true"}, 3),
    ],
)
def test_the_environment_says_how_many_threads(
    environment: dict[str, str], threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `tokenizers` obeys comes first, then what everything else obeys."""
    for name in ("RAYON_NUM_THREADS", "OMP_NUM_THREADS", "TOKENIZERS_PARALLELISM"):
        monkeypatch.delenv(name, raising=False)
    assert tokenizing_threads() >= 1
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert tokenizing_threads() == threads


def test_the_library_says_where_it_is() -> None:
    """What `limbeck doctor` shows: the file, and where it came from."""
    native, _ = opened(content_of("uncased"))
    assert isinstance(native.library, FoundLibrary)
    assert native.library.path.is_file()
    assert native.library.origin in ("wheel", "compiled")
