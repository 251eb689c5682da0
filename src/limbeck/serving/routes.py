"""Routes: what a dialect is to the front: paths, what each takes and gives, and how it says that something is wrong.

In: nothing. Out: values that `app.py` serves and `openapi.py` describes. It does not know a dialect.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.responses import Response

from limbeck.serving.call import Call
from limbeck.serving.forms import Form
from limbeck.serving.wrong import Wrong

Body = Literal["json", "tensors"]
"""What a POST brings: JSON, or JSON with raw tensors behind it."""


@dataclass(frozen=True, kw_only=True)
class WireDialect:
    """How one kind of client is spoken to.

    Attributes:
        name: as metrics show it.
        words: in the documentation.
        wrong_body: gives the body of an answer that says what is wrong.
        wrong_schema: of that body, in the words of JSON Schema.
    """

    name: str
    words: str
    wrong_body: Callable[[Wrong], Any]
    wrong_schema: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One method of one path.

    Attributes:
        method: GET or POST.
        path: with variable parts in braces.
        dialect: whose it is.
        reply: answers a call.
        says: what it does, as a sentence.
        answer_schema: of the body of a good answer; None where it is not JSON.
        answer_types: media types that a good answer may have.
        form: of the body; None where there is none.
        body: what a POST brings.
        needs_model: whether it can be answered only when a model is loaded.
        is_open: whether it needs no key.
        statuses: of answers beside 200 and those that every route may give.
    """

    method: Literal["GET", "POST"]
    path: str
    dialect: WireDialect
    reply: Callable[[Call], Awaitable[Response]]
    says: str
    answer_schema: Mapping[str, Any] | None = field(default_factory=dict)
    answer_types: tuple[str, ...] = ("application/json",)
    form: Form | None = None
    body: Body = "json"
    needs_model: bool = True
    is_open: bool = False
    statuses: tuple[int, ...] = ()
