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

from limbeck.cli.app import app
from limbeck.methods.distil_settings import Distillation
from limbeck.methods.pretrain_settings import PretrainingSettings
from limbeck.methods.trainings import Finetuning, HeadTraining, ProbeTraining
from limbeck.settings import meanings, settable

PAGE = Path(__file__).with_name("reference.md")
HEAD = """# Reference

Made by `python docs/make_reference.py` from the code. Every command takes `--help`.

## Commands
"""
SETTINGS_HEAD = """## Settings

A settings file is TOML, one table a stage: `limbeck train DATA --config FILE --out RUN`. Flags win over the file, the
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
        rows = [(f"`{one.metavar or one.name.upper()}`", one.help) for one in given]
        rows += [(", ".join(f"`{opt}`" for opt in (*one.opts, *one.secondary_opts)), one.help) for one in options]
        yield table(("", "what it does"), rows)


def stages() -> dict[str, Any]:
    """Return the settings of every stage, by the name of its table."""
    found: dict[str, Any] = {}
    for kind in (ProbeTraining, HeadTraining, Finetuning, Distillation):
        found |= {name: one for name, one in kind().stages().items() if name not in found}
    return {**found, "pretrain": PretrainingSettings()}


def settings() -> Iterator[str]:
    """Describe each stage's settings: key, default, meaning."""
    for name, one in stages().items():
        words = meanings(type(one))
        rows = []
        for key in settable(type(one)):
            meaning, _, default = words.get(key, "").partition(" Default: ")
            value = getattr(one, key)
            rows.append((f"`{key}`", shown(value) if value is not None else default.removesuffix("."), meaning))
        yield f"### [{name}]\n\n{(getdoc(type(one)) or '').splitlines()[0]}\n"
        yield table(("key", "default", "meaning"), rows)


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
    return "\n".join([HEAD, *commands(group), SETTINGS_HEAD, *settings()])


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
