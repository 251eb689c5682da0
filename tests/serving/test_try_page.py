"""The page to try a model, as it leaves the service; `tests/browser` looks at it."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from tests.serving.page_models import DIGEST, LABELS, TASK_NAMES, condition, facts_of, served

from limbeck.serving.page_words import LANGUAGES, page_words
from limbeck.serving.serve_settings import ServeSettings
from limbeck.serving.try_page import BrowserPages, Visit, page_file, page_files, prefers_html, said_thresholds, try_page
from limbeck.settings import TaskKind

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
MOST_SCRIPT_BYTES = 30_000


def visit(*, accept: str = BROWSER, language: str | None = None, has_key: bool = True, **headers: str) -> Visit:
    return Visit(
        headers={"accept": accept, **{name.replace("_", "-"): value for name, value in headers.items()}},
        language=language,
        has_key=has_key,
    )


class Parsed(HTMLParser):
    """The tags of a page, with what could run or load something."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("task", TASK_NAMES)
def test_every_task_has_its_page(task: TaskKind, language: str) -> None:
    """Labels are text whatever they hold, nothing is inside the page that could run, and all addresses are its own."""
    html = try_page(served(facts_of(task)), condition(), ServeSettings(), language)
    tags = Parsed(html).tags
    assert dict(tags)["html"] == {"lang": language}
    assert not [
        tag for tag, attributes in tags if "style" in attributes or any(key.startswith("on") for key in attributes)
    ]
    assert [attributes["src"] for tag, attributes in tags if tag == "script" and "src" in attributes] == ["page/try.js"]
    assert [attributes for tag, attributes in tags if tag == "style"] == []
    for tag, attributes in tags:
        address = attributes.get("src") or attributes.get("href") or ""
        assert not re.match(r"[a-z]+:|/", address), (tag, address)
    images = [attributes["src"] for tag, attributes in tags if tag == "img"]
    assert set(images) == {"page/icon.svg"}
    assert DIGEST in html
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_what_the_script_knows_is_data() -> None:
    """Labels that would end the element stand in it as data, and are read back as they are."""
    html = try_page(served(facts_of("single")), condition(), ServeSettings(max_texts=7), "en")
    found = re.findall(r'<script type="application/json" id="known">(.*?)</script>', html, re.DOTALL)
    assert len(found) == 1
    known = json.loads(found[0])
    assert known["labels"] == list(LABELS)
    assert known["thresholds"] == [0.0, 0.4, 0.5, 0.6, 1.0]
    assert (known["task"], known["max_texts"], known["digest"]) == ("single", 7, DIGEST)


def test_without_the_key_nothing_of_the_model_is_shown() -> None:
    """No label, name, digest or limit of what it reads: only that a key is needed."""
    pages = BrowserPages(ServeSettings())
    model = served(facts_of("single", pair=("question", "answer")))
    locked = bytes(pages.front(visit(has_key=False), model, condition()).body).decode()
    for secret in (*LABELS, "moods", DIGEST, "question", "torch"):
        assert secret not in locked
    assert page_words("en")["key"]["label"] in locked
    assert DIGEST in bytes(pages.front(visit(), model, condition()).body).decode()


def test_programs_get_json_and_so_does_everybody_where_the_page_is_off() -> None:
    """`GET /` says that the service lives, unless a browser asks and there is a page."""
    model = served(facts_of("single"))
    for settings, accept in ((ServeSettings(), "*/*"), (ServeSettings(page=False), BROWSER)):
        answer = BrowserPages(settings).front(visit(accept=accept), model, condition())
        assert json.loads(bytes(answer.body)) == {"status": "alive"}
        assert answer.status_code == 200


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (BROWSER, True),
        ("text/html", True),
        ("", False),
        ("*/*", False),
        ("text/*", False),
        ("application/json", False),
        ("application/json,text/html;q=0.9", False),
        ("application/json;q=0.8,text/html;q=0.9", True),
        ("text/html;q=0", False),
    ],
)
def test_who_prefers_html(accept: str, expected: bool) -> None:
    """Whoever names it, and likes nothing of ours better."""
    assert prefers_html(accept) is expected


def test_while_the_model_is_loaded_a_browser_waits() -> None:
    """503, and a page that asks again by itself."""
    answer = BrowserPages(ServeSettings()).front(visit(language="ko"), None, condition(is_ready=False))
    assert answer.status_code == 503
    assert page_words("ko")["lead"]["loading"] in bytes(answer.body).decode()
    assert 'http-equiv="refresh"' in bytes(answer.body).decode()


def test_pages_follow_language_condition_and_model() -> None:
    """A page that is kept is not shown for another language, another model, or a service that is no longer ready."""
    pages, model = BrowserPages(ServeSettings()), served(facts_of("multi"))
    english = pages.front(visit(), model, condition()).body
    assert pages.front(visit(accept_language="ko"), model, condition()).body != english
    assert pages.front(visit(), model, condition(is_ready=False)).body != english
    assert pages.front(visit(), replace(model, digest="6b" * 32), condition()).body != english
    assert pages.front(visit(), model, condition()).body == english


def test_every_answer_forbids_what_the_page_does_not_need() -> None:
    """No inline script or style, no other host, no frame, no guessing of types; and a second look costs no bytes."""
    page = BrowserPages(ServeSettings()).front(visit(), served(facts_of("single")), condition())
    script = page_file(visit(), "try.js")
    assert script is not None
    for answer in (page, script):
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
    again = page_file(visit(if_none_match=script.headers["etag"]), "try.js")
    assert again is not None
    assert (again.status_code, bytes(again.body)) == (304, b"")


def test_files_are_few_small_and_ask_nobody() -> None:
    """30 kB of scripts at most; no address of another host in any file but the name of SVG; no other file is given."""
    files = page_files()
    assert sum(len(content) for name, (content, _) in files.items() if name.endswith(".js")) <= MOST_SCRIPT_BYTES
    for name, (content, _) in files.items():
        text = content.decode().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?:|//[a-z]+\.", text), name
        assert "innerHTML" not in text
        assert "eval(" not in text
    for name in ("try.html.j2", "words.en.toml", "../try_page.py", "", "TRY.JS"):
        assert page_file(visit(), name) is None


def test_thresholds_in_words() -> None:
    """Of one label: above it, and 1 is always unsure. Of several: from it on, and above 1 never; 0.5 where none is."""
    words = page_words("en")["model"]
    assert said_thresholds(facts_of("single"), words) == [
        "above 0", "above 0.4", "above 0.5", "above 0.6", words["always_unsure"],
    ]  # fmt: skip
    assert said_thresholds(facts_of("multi"), words) == [
        "from 0.1 on", "from 0.2 on", "from 0.5 on", "from 0.6 on", "never given",
    ]  # fmt: skip
    assert said_thresholds(facts_of("multi", label_thresholds=None), words) == ["from 0.5 on"] * len(LABELS)
    assert said_thresholds(facts_of("single", thresholds=None), words) is None
    assert said_thresholds(facts_of("regression"), words) is None
