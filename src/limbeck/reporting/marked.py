"""Marked: pieces of HTML that are safe to put into a page: sentences that were filled, and what comes from the data.

In: plain text. Out: HTML. What comes from the data stands in a `bdi`, so that it can neither reorder its neighbours nor
be taken for the page's own words.
"""

from typing import TYPE_CHECKING, Any

from limbeck.reporting.page import seen

if TYPE_CHECKING:
    from markupsafe import Markup


def fill(sentence: str, **values: Any) -> "Markup":
    """Fill a sentence's braces; what is no HTML yet is escaped.

    Example:
        >>> str(fill("{a} & {b}", a="<", b=3))
        '&lt; &amp; 3'
    """
    from markupsafe import Markup, escape

    return Markup(escape(sentence)).format(**values)  # noqa: S704  # escaped here, and `format` escapes the values


def data(text: str) -> "Markup":
    """Show what comes from the data or the user: a path, a split, a row id."""
    return marked('<bdi class="data">{}</bdi>', text)


def name(label: str) -> "Markup":
    """Show the name of a class."""
    return marked('<bdi class="label">{}</bdi>', label)


def code(command: str) -> "Markup":
    """Show a command."""
    return marked("<code>{}</code>", command)


def marked(frame: str, text: str) -> "Markup":
    """Put a text into a frame of HTML that has one place for it."""
    from markupsafe import Markup

    return Markup(frame).format(seen(text))  # noqa: S704  # the frame is ours, `seen` escapes
