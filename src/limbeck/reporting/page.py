"""Pages: one self-contained HTML file, light and dark, that asks for nothing and needs no script.

In: a template of this room and its values. Out: HTML text.
Every value is escaped by the template engine; control and direction characters are shown by number, so that no text can
hide or reorder what stands around it. A page forbids itself to load anything, and to run any script but one that it
names by its hash.
It does not know what a page is about.
"""

import importlib.util
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from limbeck.display.unseen import show_unseen
from limbeck.errors import MissingExtraError
from limbeck.evaluation.counted import counted, percent
from limbeck.reporting.picture import Picture
from limbeck.reporting.themes import DARK, LIGHT, Theme

if TYPE_CHECKING:
    from markupsafe import Markup

_REFERENCE = re.compile(r'(\bid="|href="#|url\(#)')


def render(
    template: str,
    values: Mapping[str, Any],
    filters: Mapping[str, Callable[..., Any]] | None = None,
    *,
    room: str | None = None,
) -> str:
    """Fill a template.

    Args:
        template: its name.
        values: that it names.
        filters: of this page alone.
        room: a package that has templates of its own, in its folder `pages`, beside those of this room.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    need_jinja()
    import jinja2

    folders = [(room, "pages")] if room else []
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [jinja2.PackageLoader(*folder) for folder in (*folders, ("limbeck.reporting", "templates"))]
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(seen=seen, commands=commands, chart=inline_svg, percent=percent, number=counted)
    environment.filters.update(filters or {})
    environment.globals.update(colours=colours())
    return environment.get_template(template).render(values) + "\n"


def need_jinja() -> None:
    """Refuse to go on without jinja2.

    Raises:
        MissingExtraError: it is not installed.
    """
    if importlib.util.find_spec("jinja2") is None:
        raise MissingExtraError('pages need jinja2, which is not installed: pip install "limbeck[report]"')


def seen(text: str | None) -> "Markup":
    """Escape a text, and show by number what cannot be seen or would reorder what stands around it.

    Example:
        >>> str(seen("a<b" + chr(0x202E)))
        'a&lt;b<span class="code">U+202E</span>'
    """
    from markupsafe import Markup, escape

    if text is None:
        return Markup('<span class="none">(none)</span>')
    # Escaping first: what it puts in holds nothing unseen, and what stands for a sign is of this room's making.
    return Markup(show_unseen(str(escape(text)), _by_number))  # noqa: S704  # escaped one call before


def _by_number(sign: str) -> str:
    return f'<span class="code">U+{ord(sign):04X}</span>'


def commands(text: str) -> "Markup":
    """Show a sentence like `seen`, with what stands between backticks as code."""
    from markupsafe import Markup

    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(seen(part)) if place % 2 else seen(part) for place, part in enumerate(parts)
    )


def inline_svg(picture: Picture, key: str, only: str = "") -> "Markup":
    """Return a chart as an `svg` element of this page that follows the page's theme.

    Colours of the light theme become the page's variables; ids get `key` before them, as a page has several charts.
    A chart whose colours are steps between two (shares, densities) is drawn once a theme instead.

    Args:
        picture: drawn in the light theme, or in that of `only`.
        key: unique on the page.
        only: "light" or "dark": it is shown in that theme alone, with its own colours.
    """
    from markupsafe import Markup, escape

    body = picture.svg[picture.svg.index("<svg") :]
    body = _REFERENCE.sub(lambda match: f"{match.group(1)}{key}-", body)
    body = re.sub(r"<metadata>.*?</metadata>|<title>.*?</title>", "", body, flags=re.DOTALL)
    for name, colour in () if only else _chart_colours(LIGHT).items():
        body = re.sub(rf"{colour}\b", f"var(--{name})", body, flags=re.IGNORECASE)
    width_in = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', body)
    style = f"--natural: {float(width_in.group(1)) / 72:.2f}in" if width_in else ""
    label = escape(picture.description)
    kind = f"on-{only}" if only in ("light", "dark") else ""
    # The description is the text alternative; what is inside the picture is for the eye.
    return Markup(  # noqa: S704  # drawn by matplotlib: text is outlines, and the two values put in are escaped
        body.replace(
            "<svg", f'<svg role="img" aria-label="{label}" class="chart {kind}" style="{style}" focusable="false"', 1
        )
    )


def colours() -> dict[str, dict[str, str]]:
    """Return the CSS variables of both themes: theme → name → colour."""
    return {theme.name: _page_colours(theme) for theme in (LIGHT, DARK)}


def _chart_colours(theme: Theme) -> dict[str, str]:
    """Return what a chart is drawn with: the plain colours, and the series by number."""
    named = {f"chart-{name}": getattr(theme, name) for name in ("paper", "ink", "muted", "line")}
    return {**named, **{f"chart-{place}": colour for place, colour in enumerate(theme.series, 1)}}


def _page_colours(theme: Theme) -> dict[str, str]:
    plain = {field.name: getattr(theme, field.name) for field in fields(theme)}
    return {
        **_chart_colours(theme),
        **{name: plain[name] for name in ("paper", "ink", "muted", "line")},
        "accent": theme.series[0],
        "warm": theme.series[1],
    }
