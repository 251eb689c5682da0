"""What every command has: how much it says meanwhile, JSON, short names; and how commands are listed and told apart."""

import pytest
import typer
from typer.testing import CliRunner

from limbeck.cli.app import COMMAND_GROUPS, app
from limbeck.cli.labels import labels


def all_commands(group=None, path=()):
    """Each command with the words that call it."""
    for word, command in (group or typer.main.get_command(app)).commands.items():
        if hasattr(command, "commands"):
            yield from all_commands(command, (*path, word))
        else:
            yield pytest.param(command, id=" ".join((*path, word)))


def names_of(command):
    return {name for one in command.params for name in one.opts}


@pytest.mark.parametrize("command", list(all_commands()))
def test_every_command_can_be_quiet_and_plain(command):
    """Progress and notes can be left out, colours too; results can be had as JSON."""
    assert {"--quiet", "-q", "--no-color", "--json"} <= names_of(command)


@pytest.mark.parametrize("command", list(all_commands()))
def test_results_go_to_out(command):
    """Where a command takes a place for its results, it is --out and -o."""
    names = names_of(command)
    assert ("--out" in names) == ("-o" in names)
    assert "--output" not in names or "--out" in names
    assert ("--input" in names) == ("-i" in names)


def test_each_command_is_listed_once_in_its_group(monkeypatch):
    """Data, Train, Judge, Use, Machine: in this order, and no command is beside them."""
    monkeypatch.setenv("COLUMNS", "80")
    lines = CliRunner().invoke(app, ["--help"]).stdout.splitlines()
    heads = [line[:-1] for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert heads == ["Options", *COMMAND_GROUPS]
    words = [line.split()[0] for line in lines if line.startswith("  ") and line[2].isalpha()]
    names = list(typer.main.get_command(app).commands)
    assert sorted(word for word in words if word in names) == sorted(names)


def test_completion_can_be_installed():
    """The shell can be taught the commands and their options."""
    assert "--install-completion" in CliRunner().invoke(app, ["--help"]).stdout


@pytest.mark.parametrize("name", ["apply", "find", "my run"])
def test_a_run_may_be_called_as_a_command(name, tmp_path, monkeypatch):
    """`labels apply` is the run of that name where there is one and nothing follows that a command would take."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir()
    group = typer.main.get_command(labels)
    with group.make_context("labels", [name, "--out", "sheet.csv"]) as context:
        assert context._protected_args + context.args == ["find", name, "--out", "sheet.csv"]
    with group.make_context("labels", ["apply", "sheet.csv", "data.csv"]) as context:
        assert (context._protected_args + context.args)[0] == "apply"
