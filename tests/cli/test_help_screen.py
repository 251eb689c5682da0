"""What `--help` shows: every option's name and default, whole, on a narrow and on a wide terminal."""

from collections.abc import Iterator

import pytest
import typer
from typer.testing import CliRunner

from limbeck.cli.app import app


def commands(group, path=()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Every command with the words that call it, groups and those inside them too."""
    yield path, group
    for word, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*path, word))


ALL = list(commands(typer.main.get_command(app)))


def shown(words, monkeypatch, columns) -> str:
    """The help of a command, its lines joined."""
    monkeypatch.setenv("COLUMNS", str(columns))
    ended = CliRunner().invoke(app, [*words, "--help"])
    assert ended.exit_code == 0
    assert all(len(line) <= columns for line in ended.stdout.splitlines())
    return " ".join(ended.stdout.split())


@pytest.mark.parametrize("columns", [80, pytest.param(120, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("words", "command"), ALL, ids=[" ".join(words) or "limbeck" for words, _ in ALL])
def test_names_and_defaults_are_whole(words, command, columns, monkeypatch):
    """Each word of an option's help is there, its default too; no option's name is cut off."""
    found = shown(words, monkeypatch, columns)
    squeezed = found.replace(" ", "")
    for one in command.params:
        assert all(name in found for name in (*one.opts, *one.secondary_opts) if name.startswith("--")), one.name
        assert "".join((one.help or "").split()) in squeezed, one.name


def test_defaults_are_there():
    """The check above is not passed by commands that state no default."""
    stated = [one.name for _, command in ALL for one in command.params if "[default: " in (one.help or "")]
    assert len(stated) > 60


def test_options_stand_in_groups(monkeypatch):
    """The many options of a training are told by what they are about, with what every command has first."""
    lines = CliRunner().invoke(app, ["train", "--help"]).stdout.splitlines()
    heads = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert heads[:2] == ["Arguments:", "Options:"]
    assert {"Training:", "Reading DATA:", "Machine:"} < set(heads)


def test_the_list_of_commands_says_each_in_full(monkeypatch):
    """No command's sentence ends in dots."""
    for words in ([], ["labels"], ["cache"]):
        assert "..." not in shown(words, monkeypatch, 80).replace("[ARGS]...", "")
