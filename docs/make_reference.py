"""Write docs/reference.md: every command with its options, every table of a settings file, from the code itself.

    python docs/make_reference.py [--check]

It reads names, defaults and help of the commands, not their printed help, so that no version of typer changes the page.
"""

import argparse
import sys
from collections.abc import Iterator
from inspect import getdoc
from pathlib import Path
from typing import Any

import tomli_w
import typer

from limbeck.cli import options as options_of
from limbeck.cli.app import app
from limbeck.errors import STATUSES
from limbeck.methods.table import METHODS
from limbeck.setting_tables import meanings, settable
from limbeck.settings import LoopSettings

PAGE = Path(__file__).with_name("reference.md")
EVERYWHERE = ("as_json", "quiet", "no_color")
"""Options that every command has."""
STEPPED = tuple(name for name, method in METHODS.items() if method.by_steps)
"""The trainings by steps."""
VARIABLES = {
    "`XDG_CACHE_HOME`": "Folder under which features, measurements of engines and models of the hub are cached.",
    "`HF_TOKEN`, `HUGGING_FACE_HUB_TOKEN`": "Token of the hub, for private models and data, and for `limbeck publish`.",
    "`HF_ENDPOINT`": "Address of the hub, where it is not https://huggingface.co.",
    "`HF_HUB_OFFLINE`": "1: nothing is asked of the hub; what is cached is used.",
    "`HF_HOME`": "Folder of the hub client's own cache, which other libraries share.",
    "`OMP_NUM_THREADS`": "Threads to compute with. Otherwise as many as the process may use cores.",
    "`NO_COLOR`": "Any value: no colours, as with `--no-color`.",
    "`COLUMNS`": "Width of tables and help, in characters.",
}
"""Variables of the environment that something is read from."""
HEAD = """# Reference

Made by `python docs/make_reference.py` from the code. Every command takes `--help`.

## Commands
"""
SETTINGS_HEAD = """## Settings

A settings file is TOML, one table per stage: `limbeck train DATA --config FILE --out RUN`. Flags win over the file, the
file over the defaults. A run writes the settings it used into `RUN/settings.toml`.
"""


def commands(group: Any, name: str = "limbeck") -> Iterator[str]:
    """Describe each command of a group, and of the groups inside."""
    for word, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{name} {word}")
            continue
        given = [one for one in command.params if one.param_type_name == "argument"]
        options = [one for one in command.params if one.param_type_name == "option" and "--help" not in one.opts]
        words = " ".join([name, word, *(one.metavar or one.name.upper() for one in given)])
        yield f"### {words}\n\n{' '.join(command.help.split())}\n"
        reads = {one.name for one in options} >= set(options_of.READING.fields)
        shared = set(options_of.READING.fields if reads else ()) | set(EVERYWHERE)
        rows = [(f"`{one.metavar or one.name.upper()}`", one.help) for one in given if one.metavar != "DATA"]
        rows += [described(one) for one in options if one.name not in shared]
        rows += [("", "and what reads DATA, see above")] if reads else []
        yield table(("", "what it does"), rows)


def described(option: Any) -> tuple[str, str]:
    """Return the names of an option, and its help."""
    return ", ".join(f"`{opt}`" for opt in (*option.opts, *option.secondary_opts)), option.help


def shared_options(group: Any) -> Iterator[str]:
    """Describe once what every command has, and how every command reads DATA."""
    params = group.commands["split"].params
    known = {one.name: one for one in params}
    yield "### Every command\n"
    yield table(("", "what it does"), [described(known[name]) for name in EVERYWHERE])
    yield "### Every command that reads DATA\n"
    rows = [("`DATA`", known["data"].help), *(described(known[name]) for name in options_of.READING.fields)]
    yield table(("", "what it does"), rows)


def statuses() -> Iterator[str]:
    """Describe the exit statuses, and the variables of the environment."""
    rows = [("0", "it worked"), ("1", "any other error")]
    rows += [
        (str(status.exit_status), " ".join((error.__doc__ or "").split()))
        for error, status in sorted(STATUSES.items(), key=lambda pair: pair[1].exit_status)
        if status.exit_status > 1
    ]
    yield "## Exit statuses\n"
    yield table(("status", "what happened"), rows)
    yield "## Environment variables\n"
    yield table(("variable", "what it does"), list(VARIABLES.items()))


def stages() -> dict[str, Any]:
    """Return the settings of every stage, by the name of its table."""
    found: dict[str, Any] = {}
    for method in METHODS.values():
        found |= {name: one for name, one in method.training().stages().items() if name not in found}
    return found


def settings() -> Iterator[str]:
    """Describe each stage's settings: key, default, meaning; what several trainings share is described once."""
    for name, one in stages().items():
        if isinstance(one, LoopSettings) and name == "head":
            yield f"### Every training by steps: {', '.join(f'[{stage}]' for stage in STEPPED)}\n"
            shared = rows_of(LoopSettings(epochs=1))
            yield table(("key", "default", "meaning"), [row for key, row in shared.items() if key != "epochs"])
        rows = rows_of(one)
        more: list[tuple[str, str, str]] = []
        if isinstance(one, LoopSettings):
            shared = rows_of(LoopSettings(epochs=1))
            rows = {key: row for key, row in rows.items() if row != shared.get(key)}
            idle = [f"`{key}`" for key in shared if key not in settable(type(one))]
            without = f", without {', '.join(idle)}" if idle else ""
            more = [("", "", f"and those of every training by steps{without}")]
        yield f"### [{name}]\n\n{(getdoc(type(one)) or '').splitlines()[0]}\n"
        yield table(("key", "default", "meaning"), [*rows.values(), *more])


def rows_of(settings: Any) -> dict[str, tuple[str, str, str]]:
    """Return a row for each key of a stage's settings."""
    words, rows = meanings(type(settings)), {}
    for key in settable(type(settings)):
        meaning, _, default = words.get(key, "").partition(" Default: ")
        value = getattr(settings, key)
        rows[key] = (f"`{key}`", shown(value) if value is not None else default.removesuffix("."), meaning)
    return rows


def shown(value: Any) -> str:
    """Return a default as TOML has it."""
    written = tomli_w.dumps({"key": list(value) if isinstance(value, tuple) else value})
    return f"`{' '.join(written.partition('=')[2].split()).replace(', ]', ' ]')}`"


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ("---",) * len(head), *rows]
    return (
        "\n".join(
            "| " + " | ".join(" ".join((cell or "").split()).replace("|", "\\|") for cell in line) + " |"
            for line in lines
        )
        + "\n"
    )


def page() -> str:
    """Return the whole page."""
    group = typer.main.get_command(app)
    return "\n".join([HEAD, *shared_options(group), *commands(group), SETTINGS_HEAD, *settings(), *statuses()])


def main() -> None:
    """Write the page, or check that it is what the code says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when the page is out of date")
    found = page()
    if not parser.parse_args().check:
        PAGE.write_text(found, "utf-8")
    elif not PAGE.exists() or PAGE.read_text("utf-8") != found:
        sys.exit("docs/reference.md is out of date: run python docs/make_reference.py")


if __name__ == "__main__":
    main()
