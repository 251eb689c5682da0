"""The page to try a model in a browser, the page of the routes, and the files that both need.

In: what a browser sent, the model that answers, how the service stands. Out: responses.
It does not know dialects: what is typed goes from the browser to `/classify` like anybody's request.

The pages forbid themselves everything but this service's own files and routes: no other host, no script or style inside
the page, no frame around it. Without the key they show nothing of the model.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from starlette.responses import JSONResponse, Response

from limbeck.data.text_pairs import PAIR_MARK
from limbeck.evaluation.abstaining import NEVER
from limbeck.model.facts import BundleFacts
from limbeck.reporting.marked import data, fill, name
from limbeck.reporting.page import render
from limbeck.serving.docs_page import documented
from limbeck.serving.page_words import LANGUAGES, chosen_language, page_words, qualities
from limbeck.serving.serve_settings import ServeSettings
from limbeck.serving.service import Condition, ServedModel
from limbeck.task import DEFAULT_THRESHOLD

MEDIA_TYPES = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
PAGE_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",
}
"""Of every answer here."""
_MOST_KEPT = 16
"""Pages: of each language, with and without the key, ready or not."""


@dataclass(frozen=True, kw_only=True)
class Visit:
    """What a browser sent.

    Attributes:
        headers: names in lower case.
        language: that its address names; None where it names none.
        has_key: whether it bears the key, or none is needed.
    """

    headers: Mapping[str, str]
    language: str | None
    has_key: bool

    @property
    def in_language(self) -> str:
        """The language of the page that it gets."""
        return chosen_language(self.language, self.headers.get("accept-language", ""))


class BrowserPages:
    """The pages of a service, each made once for as long as it would not change.

    Args:
        settings: of the service.
    """

    def __init__(self, settings: ServeSettings) -> None:
        self._settings = settings
        self._kept: dict[tuple[Any, ...], bytes] = {}

    def front(self, visit: Visit, model: ServedModel | None, condition: Condition) -> Response:
        """Answer `GET /`: the page for whoever prefers HTML, else that the service lives.

        Args:
            visit: of whoever asks.
            model: that answers; None while it is being loaded.
            condition: of the service.
        """
        if not self._settings.page or not prefers_html(visit.headers.get("accept", "")):
            return JSONResponse({"status": "alive"}, headers={"vary": "accept"})
        language = visit.in_language
        if model is None:
            loading = _rendered("loading.html.j2", language, self._settings, here="try").encode()
            return Response(loading, HTTPStatus.SERVICE_UNAVAILABLE, {**PAGE_HEADERS, "retry-after": "1"}, "text/html")
        key = ("try", language, visit.has_key, model.digest, model.name, condition.is_ready)
        if key not in self._kept:
            self._keep(key, try_page(model if visit.has_key else None, condition, self._settings, language))
        return _answered(visit, self._kept[key], "text/html", vary="accept, accept-language, authorization")

    def docs(self, visit: Visit, document: Mapping[str, Any]) -> Response:
        """Answer `GET /docs`: the routes, made from the OpenAPI document."""
        language = visit.in_language
        key = ("docs", language)
        if key not in self._kept:
            shown = documented(document)
            self._keep(key, _rendered("docs.html.j2", language, self._settings, here="docs", document=shown))
        return _answered(visit, self._kept[key], "text/html", vary="accept-language")

    def _keep(self, key: tuple[Any, ...], page: str) -> None:
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[key] = page.encode()


def page_file(visit: Visit, file_name: str) -> Response | None:
    """Answer `GET /page/NAME`: a script, the styles or the sign of the pages; None where there is no such file."""
    found = page_files().get(file_name)
    return None if found is None else _answered(visit, *found)


def try_page(model: ServedModel | None, condition: Condition, settings: ServeSettings, language: str) -> str:
    """Return the HTML of the page to try a model.

    Args:
        model: that answers; None for whoever has no key: then nothing of it is shown.
        condition: of the service.
        settings: of the service.
        language: code of one of `LANGUAGES`.
    """
    words = page_words(language)
    facts = None if model is None else model.facts
    width = None if facts is None else facts.value_width
    return _rendered(
        "try.html.j2",
        language,
        settings,
        here="try",
        model=model,
        facts=facts,
        condition=condition,
        thresholds=None if facts is None else said_thresholds(facts, words["model"]),
        interval=width if width is not None and width.is_promised else None,
        origin=f"http://{f'[{settings.host}]' if ':' in settings.host else settings.host}:{settings.port}/",
        known=_locked(words) if model is None else _known(model, settings, words),
    )


def said_thresholds(facts: BundleFacts, words: Mapping[str, str]) -> list[str] | None:
    """Say of each label from which probability on it is answered; None where every text is."""
    thresholds = _thresholds_of(facts)
    if thresholds is None:
        return None
    is_single = facts.task == "single"
    sentence = words["threshold_above" if is_single else "threshold_from"]
    return [
        words["always_unsure" if is_single else "never"]
        if (one >= NEVER if is_single else one > NEVER)
        else sentence.format(value=f"{one:.3g}")
        for one in thresholds
    ]


def prefers_html(accept: str) -> bool:
    """Return whether a client asks for HTML by name, and likes it at least as much as JSON.

    Example:
        >>> prefers_html("text/html,*/*;q=0.8"), prefers_html("*/*"), prefers_html("application/json, text/html;q=0.9")
        (True, False, False)
    """
    liked = qualities(accept)
    return liked.get("text/html", 0.0) > 0 and liked["text/html"] >= liked.get("application/json", 0.0)


@cache
def page_files() -> dict[str, tuple[bytes, str]]:
    """Return the files of the pages: name → content and media type."""
    folder = files("limbeck.serving").joinpath("pages")
    found = {one.name: one.read_bytes() for one in folder.iterdir() if one.name.endswith((".js", ".svg"))}
    found["page.css"] = render("page.css.j2", {}, room="limbeck.serving").encode()
    return {one: (content, MEDIA_TYPES[one.rpartition(".")[2]]) for one, content in found.items()}


def _thresholds_of(facts: BundleFacts) -> tuple[float, ...] | None:
    if facts.task == "multi":
        return facts.label_thresholds or (DEFAULT_THRESHOLD,) * len(facts.label_names)
    return facts.thresholds


def _known(model: ServedModel, settings: ServeSettings, words: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the script of the page knows: plain values for JSON."""
    facts = model.facts
    return {
        "locked": False,
        "task": facts.task,
        "labels": facts.label_names,
        "thresholds": _thresholds_of(facts),
        "pair": facts.pair,
        "pair_mark": PAIR_MARK,
        "window": model.window.name,
        "max_tokens": model.window.max_tokens,
        "max_texts": settings.max_texts,
        "digest": model.digest,
        "example": words["ask"]["example"],
        "words": {**words["said"], **words["state"]},
    }


def _locked(words: Mapping[str, Any]) -> dict[str, Any]:
    return {"locked": True, "words": {"offline": words["said"]["offline"], "wrong_key": words["key"]["wrong"]}}


def _rendered(template: str, language: str, settings: ServeSettings, **values: Any) -> str:
    shared = {
        "w": page_words(language),
        "languages": LANGUAGES,
        "query": f"?lang={language}",
        "version": version("limbeck"),
        "settings": settings,
    }
    return render(template, {**shared, **values}, {"data": data, "fill": fill, "name": name}, room="limbeck.serving")


def _answered(visit: Visit, content: bytes, media_type: str, **headers: str) -> Response:
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {**PAGE_HEADERS, "etag": tag, **headers}
    if tag in visit.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=media_type)
