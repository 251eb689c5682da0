"""The pages of the service as a browser shows them, over the real routes and a tiny model."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.browser.windows import WIDE, judged
from tests.serving.in_process import InProcess, front_of, running
from tests.serving.page_models import HARM, LABELS, facts_of

from limbeck.errors import DataError, OverloadedError
from limbeck.inference.predictor import Predictor
from limbeck.model.blocks import blocks_for
from limbeck.model.bundle import Bundle
from limbeck.model.heads import LinearHead
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.serving.guards import KEY_VARIABLE

pytestmark = pytest.mark.slow
KEY = "a-key-of-twenty-six-letters"
CORPUS = (
    HARM,
    "<script>document.title='owned'</script>",
    "</textarea></template></script><svg onload=document.title='owned'>",
    "javascript:document.title='owned'",
    "'\"`$(document.title='owned')\\",
    "{{ 7 * 7 }} {% raw %} ${7 * 7} %7B",
    "a\u202eb\u2066c\u200bd\ufeffe\x07f",
    "오늘은 정말 기분이 좋은 하루였다 😀👩‍👧 می‌خواهم",
    "unbreakable" * 40,
    "=HYPERLINK(1)",
    "__proto__ constructor toString",
    "so very sad today , it is rain ##y . " * 3,
)
"""Texts that do harm, or look wrong, where a page does not take them as text."""

Serve = Callable[..., tuple[str, InProcess]]


@pytest.fixture
def serve(tiny_loaded: LoadedEncoder) -> Iterator[Serve]:
    """Serve a tiny model of a task at an address of this machine; the last words are settings."""
    with ExitStack() as stack:

        def start(task: Any = "single", facts: dict[str, Any] | None = None, **settings: Any) -> tuple[str, InProcess]:
            torch.manual_seed(11)
            blocks = blocks_for("layers", None, tiny_loaded.config.n_layers)
            stated = replace(facts_of(task, **(facts or {})), blocks=blocks)
            outputs = stated.shape.n_logits(len(stated.label_names))
            head = LinearHead(torch.randn(outputs, tiny_loaded.config.dim * len(blocks)), torch.randn(outputs))
            bundle = Bundle(loaded=tiny_loaded, head=head.eval(), facts=stated)
            service = InProcess(Predictor(bundle, device="cpu", engine="torch-float32"))
            return stack.enter_context(running(front_of(service, **settings))) + "/", service

        yield start


def classified(address: str, texts: Any) -> list[dict[str, Any]]:
    """What a program gets."""
    request = urllib.request.Request(  # noqa: S310  # of this machine
        f"{address}classify", json.dumps({"input": texts}).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310  # the same
        rows: list[dict[str, Any]] = json.load(answer)["data"]
        return rows


def ask_one(page: Any, *texts: str) -> None:
    """Type a text, or a pair, and wait for the answer."""
    for place, text in enumerate(texts):
        page.fill(f"#text-{place}", text)
    page.click("#go")
    page.wait_for_selector("#go:not([disabled])")
    page.wait_for_selector("#answers .answer")


@pytest.mark.parametrize(
    ("task", "language", "scheme"),
    [
        ("single", "en", "light"),
        ("ordinal", "ko", "light"),
        ("multi", "ko", "dark"),
        ("regression", "en", "dark"),
    ],
)
def test_page_in_a_browser(browser: Any, serve: Serve, task: str, language: str, scheme: str) -> None:
    """Of each task, with harmful labels and texts: no message, no other host, nothing that ran, no violation."""
    address, _ = serve(task)
    with judged(browser, f"{address}?lang={language}", scheme, asks_axe=task != "ordinal") as page:
        for text in CORPUS:
            ask_one(page, text)
        page.click(".read button")
        page.wait_for_selector(".tokens")
        page.click(".answer summary")
        page.check("input[value=many]")
        page.fill("#lines", "\n".join(CORPUS))
        page.click("#go")
        page.wait_for_selector("table.many tbody tr")
        assert page.locator("table.many tbody tr").count() == len(CORPUS)
        page.locator("table.many button").first.click()
        page.locator("table.many button").last.click()


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_routes_in_a_browser(browser: Any, serve: Serve, language: str) -> None:
    """The page of the routes likewise, with routes of each kind unfolded."""
    address, _ = serve("single")
    with judged(
        browser, f"{address}docs?lang={language}", "light" if language == "en" else "dark", asks_axe=language == "en"
    ) as page:
        page.evaluate("document.querySelectorAll('section > details:first-of-type').forEach(one => one.open = true)")
        assert page.locator("#post-classify").is_visible()


@pytest.mark.parametrize("task", ["single", "ordinal", "multi", "regression"])
def test_the_page_says_what_a_program_gets(browser: Any, serve: Serve, task: str) -> None:
    """Decision, probabilities, doubt, interval and tokens are those of `/classify`, to the digits that are shown."""
    address, _ = serve(task)
    page = browser.new_page(viewport={"width": WIDE, "height": 800})
    page.goto(address)
    for text in ("i feel fine today", "so sad", "it is very very rainy today , so sad . i feel so sad today", "zzz"):
        row = classified(address, text)[0]
        ask_one(page, text)
        verdict = page.locator(".verdict").inner_text()
        if task == "regression":
            assert float(verdict) == pytest.approx(row["value"], rel=1e-3)
            low, high = row["interval"]["low"], row["interval"]["high"]
            shown = page.locator(".answer > p").nth(1).inner_text()
            assert shown == f"90 % interval: {float(f'{low:.4g}'):g} to {float(f'{high:.4g}'):g}"
        else:
            labels = row["labels"] if task == "multi" else [row["label"]]
            for label in labels:
                assert label.replace("\u202e", "U+202E") in verdict
            assert ("unsure" in verdict) is bool(row.get("unsure"))
            shares = page.locator(".bars td:last-child").all_inner_texts()
            expected = row["probs"] if task == "ordinal" else sorted(row["probs"], reverse=True)
            assert shares == [shown_share(one) for one in expected]
            assert page.locator(".bars tr.given").count() == (0 if row.get("unsure") else len(labels))
        read = page.locator(".read p").inner_text()
        assert str(row["tokens"]) in read
        assert ("not read" in read) is bool(row["tokens_cut"])
    page.close()


def shown_share(value: float) -> str:
    """A probability as the page writes it."""
    return "<0.001" if 0 < value < 0.0005 else ">0.999" if 0.9995 <= value < 1 else f"{value:.3f}"


@pytest.mark.parametrize("window", ["head", "tail", "both", "all"])
def test_tokens_that_are_not_read_are_crossed_out(browser: Any, serve: Serve, window: str) -> None:
    """As many as the answer says, at the end, at the beginning, in the middle, or none; unknown ones are marked."""
    address, _ = serve("single", {"window": window})
    text = "i feel fine today . zzz it is so very sad"
    row = classified(address, text)[0]
    page = browser.new_page(viewport={"width": WIDE, "height": 800})
    page.goto(address)
    ask_one(page, text)
    page.click(".read button")
    page.wait_for_selector(".tokens")
    kinds = [kind or "" for kind in page.eval_on_selector_all(".tokens li", "all => all.map(one => one.className)")]
    cut = [place for place, kind in enumerate(kinds) if "cut" in kind]
    assert len(kinds) == row["tokens"] == 13
    assert len(cut) == row["tokens_cut"]
    assert [kind for kind in kinds if "unknown" in kind] != []
    assert cut == {"head": [7, 8, 9, 10, 11], "tail": [1, 2, 3, 4, 5], "both": [4, 5, 6, 7, 8], "all": []}[window]
    page.close()


def test_pairs(browser: Any, serve: Serve) -> None:
    """Two texts have a field each; several are lines with a tab; a line without one is told by its number."""
    address, service = serve("single", {"pair": ("question", "answer")})
    page = browser.new_page(viewport={"width": WIDE, "height": 800})
    page.goto(address)
    ask_one(page, "is it fine [SEP] today", "so sad")
    assert [(pair.first, pair.second) for pair in service.asked[-1].texts] == [("is it fine [SEP] today", "so sad")]
    page.check("input[value=many]")
    page.fill("#lines", "a\tb\n\nno tab")
    page.click("#go")
    assert "Line 3" in page.locator("#fault").inner_text()
    page.fill("#lines", "a\tb\n\nc\td\te")
    page.click("#go")
    page.wait_for_selector("table.many tbody tr")
    assert [(pair.first, pair.second) for pair in service.asked[-1].texts] == [("a", "b"), ("c", "d\te")]
    assert page.locator("table.many tbody td:first-child").all_inner_texts() == ["1", "3"]
    page.close()


def test_by_keyboard(browser: Any, serve: Serve) -> None:
    """The first Tab reaches the skip link; Ctrl and Enter ask; arrows choose a language; the answer is announced."""
    address, _ = serve("single")
    page = browser.new_page(viewport={"width": WIDE, "height": 800})
    page.goto(address)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    for _ in range(2):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "text-0"
    page.keyboard.type("i feel fine")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#answers .answer")
    row = classified(address, "i feel fine")[0]
    page.locator("#said", has_text="answered in").wait_for()
    assert shown_share(row["top"][0]["probability"]) in page.locator("#said[role=status]").inner_text()
    assert page.evaluate("document.activeElement.id") == "text-0"
    page.focus("#tab-curl")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "tab-python"
    assert page.get_attribute("#tab-python", "aria-selected") == "true"
    assert "urllib.request" in page.locator("#snippet").inner_text()
    page.keyboard.press("End")
    assert "await fetch" in page.locator("#snippet").inner_text()
    page.close()


@pytest.mark.parametrize("kind", ["curl", "python", "javascript"])
def test_programs_run_as_they_are_copied(browser: Any, serve: Serve, tmp_path: Path, kind: str) -> None:
    """What the button copies asks about the typed text, whatever it holds, and gets the answer."""
    commands = {
        "curl": ["bash", "-c"],
        "python": [sys.executable, "-c"],
        "javascript": ["node", "--input-type=module", "-e"],
    }
    if shutil.which("node" if kind == "javascript" else "curl") is None:
        pytest.skip(f"no program runs {kind} here")
    address, service = serve("single")
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(f"{address}?lang=en&from=a/b")
    text = 'it\'s "so" sad\\n $HOME `id` \n two lines a\u202eb\u200b 기쁨 😀 %s'
    page.fill("#text-0", text)
    page.click(f"#tab-{kind}")
    page.click("#copy")
    page.locator("#copied", has_text="Copied").wait_for()
    program = page.evaluate("navigator.clipboard.readText()")
    assert "\u202e" not in program
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    ended = subprocess.run([*commands[kind], program], capture_output=True, timeout=60, check=False, env=environment)
    assert ended.returncode == 0, ended.stderr.decode()
    assert list(service.asked[-1].texts) == [text]
    assert classified(address, text)[0]["label"].encode()[:3] in ended.stdout
    context.close()


def test_a_key_opens_the_page(browser: Any, serve: Serve, tmp_path: Path) -> None:
    """Without it nothing is shown; a wrong one is told; the right one opens it, for this tab, and programs name it."""
    (tmp_path / "key").write_text(f"{KEY}\n", "utf-8")
    address, _ = serve("single", key_file=str(tmp_path / "key"))
    with judged(browser, address, "light") as page:
        assert page.locator("textarea").count() == 0
    page = browser.new_page(viewport={"width": WIDE, "height": 800})
    page.goto(address)
    page.fill("#key", "wrong")
    page.click("#open button")
    page.wait_for_selector("#fault:visible")
    page.fill("#key", KEY)
    page.click("#open button")
    page.wait_for_selector("#text-0")
    ask_one(page, "i feel fine")
    page.click("#tab-python")
    assert KEY_VARIABLE in page.locator("#snippet").inner_text()
    assert KEY not in page.content()
    page.reload()
    page.wait_for_selector("#text-0")
    page.close()


def test_a_busy_service_is_asked_again(browser: Any, serve: Serve) -> None:
    """The page says how long it waits, and answers when the service does; Stop ends the waiting."""
    address, service = serve("single")
    page = browser.new_page(viewport={"width": WIDE, "height": 800})
    page.goto(address)
    service.fault = OverloadedError("much waits", retry_after_s=1)
    page.fill("#text-0", "i feel fine")
    page.click("#go")
    page.locator("#said", has_text="next try is in 1 s").wait_for()
    page.click("#stop")
    page.locator("#said", has_text="Stopped").wait_for()
    page.click("#go")
    page.locator("#said", has_text="next try").wait_for()
    service.fault = None
    page.wait_for_selector("#answers .answer")
    page.close()


def test_a_service_that_is_gone_is_told(browser: Any, serve: Serve) -> None:
    """What fails on the way is said, and the sign of the service changes, until it answers again."""
    address, _ = serve("single")
    page = browser.new_page(viewport={"width": WIDE, "height": 800})
    page.goto(address)
    page.locator("#state", has_text="ready").wait_for()
    page.context.set_offline(True)
    page.fill("#text-0", "i feel fine")
    page.click("#go")
    page.locator("#fault", has_text="does not answer").wait_for()
    page.locator("#state", has_text="not ready").wait_for()
    page.context.set_offline(False)
    ask_one(page, "i feel fine")
    assert page.inner_text("#state") == "ready"
    assert page.locator("#fault").is_hidden()
    page.close()


def test_programs_say_of_which_texts_they_ask(browser: Any, serve: Serve) -> None:
    """All lines up to twenty; of more the first twenty, which is told."""
    address, _ = serve("single")
    page = browser.new_page(viewport={"width": WIDE, "height": 800})
    page.goto(address)
    page.check("input[value=many]")
    for count, told in ((20, ""), (21, "It asks about the first 20 of 21 texts.")):
        page.fill("#lines", "\n".join(f"line {place}" for place in range(count)))
        assert page.inner_text("#snippet").count('"line ') == 20
        assert page.inner_text("#part") == told
    page.close()


def test_what_is_refused_is_told_as_text(browser: Any, serve: Serve) -> None:
    """The message of the service stands on the page, and the old answer stays until there is a new one."""
    address, service = serve("single")
    page = browser.new_page(viewport={"width": WIDE, "height": 800})
    page.goto(address)
    page.click("#go")
    assert page.locator("#fault").inner_text() == "Write a text first."
    service.fault = DataError(f"text 0 is wrong: {HARM}")
    page.fill("#text-0", "i feel fine")
    page.click("#go")
    page.locator("#fault", has_text="onerror").wait_for()
    assert page.title() != "owned"
    page.close()


def test_answers_are_saved_as_a_table(browser: Any, serve: Serve) -> None:
    """A row per text in the columns of `limbeck predict`, every probability to the bit, no formula that would run."""
    address, _ = serve("single")
    texts = ["i feel fine", 'a "quoted", text', "=1+1", "기쁨"]
    page = browser.new_page(viewport={"width": WIDE, "height": 800})
    page.goto(address)
    page.check("input[value=many]")
    page.fill("#lines", "\n".join(texts))
    page.click("#go")
    page.wait_for_selector("table.many tbody tr")
    with page.expect_download() as download:
        page.click("#results > div > p > button")
    content = Path(download.value.path()).read_text("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(content)))
    answers = classified(address, texts)
    assert [row["text"] for row in rows] == ["i feel fine", 'a "quoted", text', "'=1+1", "기쁨"]
    assert [row["prediction"] for row in rows] == [answer["label"] for answer in answers]
    for row, answer in zip(rows, answers, strict=True):
        assert [float(row[f"probability.{label}"]) for label in LABELS] == answer["probs"]
    page.close()


def test_without_scripts_the_model_can_be_read(browser: Any, serve: Serve) -> None:
    """Labels, limits and a command are there; nothing pretends to work."""
    address, _ = serve("single")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    assert page.locator(".labels li").count() == len(LABELS)
    assert page.locator("#go").is_disabled()
    assert "curl" in page.locator("noscript pre").inner_text()
    context.close()
