"""Every command line in the docs names a command that exists, and options that it has."""

import re
from pathlib import Path

import pytest
import typer

from limbeck.cli.app import app

ROOT = Path(__file__).parents[1]
PAGES = [page for page in (*ROOT.glob("README*.md"), *(ROOT / "docs").glob("*.md")) if page.name != "log.md"]
BLOCK = re.compile(r"^```[^\n]*\n(.*?)^```$|^ {4}(limbeck [^\n]*)$", re.DOTALL | re.MULTILINE)
IN_BLOCK = re.compile(r"^(?:\$ )?(limbeck [a-z][^#\n]*)", re.MULTILINE)
IN_PROSE = re.compile(r"`(limbeck [a-z][^`]*)`")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
UNIVERSAL = {"--help", "--version"}


def lines_of(text):
    """The command lines of a page, in blocks and in prose."""
    blocks = "\n".join(fenced or indented for fenced, indented in BLOCK.findall(text))
    return IN_BLOCK.findall(blocks) + IN_PROSE.findall(BLOCK.sub("", text))


def options_of(command):
    """The options of a command, or of all commands of a group."""
    inside = getattr(command, "commands", {}).values()
    own = {opt for one in command.params for opt in (*one.opts, *one.secondary_opts)}
    return own.union(*(options_of(one) for one in inside))


@pytest.mark.parametrize("page", sorted(PAGES), ids=lambda page: page.name)
def test_commands_of_a_page_exist(page):
    """A renamed option is found in every page that still says it the old way."""
    known = typer.main.get_command(app).commands
    unknown = []
    for line in lines_of(page.read_text("utf-8")):
        word = line.split()[1].rstrip(".,:;)")
        if word not in known:
            unknown.append(line)
            continue
        options = options_of(known[word]) | UNIVERSAL
        unknown += [f"{line}: {option}" for option in OPTION.findall(line) if option not in options]
    assert unknown == []


def test_command_lines_are_found():
    """The pages are not skipped by a pattern that finds nothing."""
    assert len(lines_of((ROOT / "docs" / "tutorial.md").read_text("utf-8"))) >= 25
    assert len(lines_of((ROOT / "docs" / "training.md").read_text("utf-8"))) >= 2
