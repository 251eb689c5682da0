"""The audit page as a browser shows it."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.browser.windows import WIDE, WINDOWS, judged

from limbeck.auditing.audit import audit
from limbeck.data.dataset import CORE_SCHEMA, Dataset
from limbeck.reporting.audit_page import write_audit

pytestmark = pytest.mark.slow
PAYLOAD = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with everything on it: three splits, Korean, long words, payloads, every kind of fault."""
    long_word = "unbreakable" * 30
    texts = [
        "a text in two splits with two labels", PAYLOAD, "오늘은 정말 기분이 좋은 하루였다", long_word, "", "  ", "joy",
        "donâ€™t broken", "bell \x07 rings", "zero\u200bwidth text", "see https://example.org/" + "x" * 200,
        "hello @someone and <br> you", "lost \ufffd here",
    ]  # fmt: skip
    labels = ("joy", "joy ", PAYLOAD, "기쁨과 슬픔이 함께 있는 아주 긴 라벨 이름", long_word[:80])
    rows = [(split, text) for split in ("train", "validation", PAYLOAD) for text in texts]
    table = pa.table(
        {
            "row_id": [f"row-{place}" for place in range(len(rows))],
            "split": pa.array([split for split, _ in rows], pa.string()).dictionary_encode(),
            "text": [text for _, text in rows],
            "label": [place % 5 for place in range(len(rows))],
        },
        schema=CORE_SCHEMA,
    )
    folder = tmp_path_factory.mktemp("audit")
    dataset = Dataset(table=table, label_names=labels, source=f"{PAYLOAD}.csv")
    write_audit(audit(dataset, tokenizers={long_word[:60]: _tokenizer()}), folder)
    return folder / "audit.html"


def _tokenizer() -> Any:
    from tokenizers import Tokenizer as RawTokenizer
    from tokenizers import models, normalizers, pre_tokenizers, processors

    from limbeck.tokens import SPECIAL_TOKENS, Tokenizer

    vocabulary = {token: place for place, token in enumerate((*SPECIAL_TOKENS, "a", "text", "##s"))}
    raw = RawTokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))  # noqa: S106
    raw.normalizer = normalizers.BertNormalizer()
    raw.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    raw.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    raw.add_special_tokens(list(SPECIAL_TOKENS))
    import json

    return Tokenizer(json.loads(raw.to_str()), max_tokens=512, where="test")


@pytest.mark.parametrize("scheme", WINDOWS)
def test_page_in_a_browser(browser: Any, page_file: Path, scheme: str) -> None:
    """No console message, no request, no payload that ran, nothing that sticks out, no accessibility violation."""
    with judged(browser, page_file, scheme) as page:
        assert page.title().startswith("Audit of <img")
        page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")


def test_page_by_keyboard(browser: Any, page_file: Path) -> None:
    """The first Tab reaches the skip link; following it, the next stop is inside the content; details open by Enter."""
    page = browser.new_page(viewport={"width": WIDE, "height": 800})
    page.goto(page_file.as_uri())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("!!document.activeElement.closest('main')")
    page.evaluate("document.querySelector('summary').focus()")
    page.keyboard.press("Enter")
    assert page.evaluate("document.querySelector('details').open")
    page.close()


def test_dark_page_is_dark(browser: Any, page_file: Path) -> None:
    """Page and chart text follow the person's choice."""
    colours = {}
    for scheme in ("light", "dark"):
        context = browser.new_context(color_scheme=scheme)
        page = context.new_page()
        page.goto(page_file.as_uri())
        colours[scheme] = page.evaluate("[getComputedStyle(document.body).backgroundColor, "
                                        "getComputedStyle(document.querySelector('svg path')).fill]")  # fmt: skip
        context.close()
    assert colours["light"][0] == "rgb(255, 255, 255)"
    assert colours["light"] != colours["dark"]
    assert colours["light"][1] != colours["dark"][1]
