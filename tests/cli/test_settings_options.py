"""Options made from settings classes: written once, none of the earlier ones lost, and each as its class says."""

import csv
import re
import shlex
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import pytest
import typer
from typer.testing import CliRunner

from limbeck.cli.app import app
from limbeck.cli.help_screen import HelpfulCommand
from limbeck.cli.settings_options import Flags, From, takes
from limbeck.errors import SettingsError
from limbeck.setting_tables import OFF, meanings, names_of, said_names, settable
from limbeck.settings import FeatureSettings, HeadSettings, LoopSettings, ReadSettings

KEPT = Path(__file__).with_name("kept_options.tsv")
"""Every option of 0.1.0 before options were made from settings, with its default in words."""


@cache  # 270 options are asked of one program
def command_of(words):
    """The command that words call."""
    found = typer.main.get_command(app)
    for word in words.split():
        found = found.commands[word]
    return found


def kept():
    with KEPT.open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def plain(words):
    """A default without the spelling of its numbers and the signs between methods."""
    return [f"{float(word):g}" if re.fullmatch(r"[\d.e-]*\d", word) else word for word in re.split(r"[ ,;]+", words)]


@pytest.mark.parametrize("line", kept(), ids=lambda line: f"{line['command']} {line['option']}")
def test_no_option_is_lost(line):
    """Each option is called as it was, and has the default that it had."""
    (option,) = [
        one for one in command_of(line["command"]).params if line["option"] in (*one.opts, *one.secondary_opts)
    ]
    if line["default"]:
        stated = re.search(r"\[default: (.*)\]", option.help or "")
        assert plain(stated[1] if stated else str(option.default)) == plain(line["default"])


@dataclass(frozen=True, kw_only=True)
class Brew:
    """How tea is brewed.

    Attributes:
        minutes: minutes that it draws.
        sort: sort of tea: "green" or "black".
        sugar: pieces of sugar, or "off".
        leaves: leaves that are counted. Default: all of them.
        strong: brew it strong.
        steps: steps, in order.
        herbs: names of herbs.
        heat: degrees, or "auto". Default: what suits.
    """

    minutes: float = 3.0
    sort: Literal["green", "black"] = "green"
    sugar: int | None = 2
    leaves: int | None = None
    strong: bool = False
    steps: tuple[int, ...] = (1, 2)
    herbs: tuple[str, ...] = ()
    heat: float | Literal["auto"] | None = None


@dataclass(frozen=True, kw_only=True)
class LongBrew(Brew):
    """The same with a setting of its own.

    Attributes:
        lid: put a lid on.
    """

    minutes: float = 8.0
    lid: bool = True


BREW = (From(kind=Brew),)


def run(*words, sources=BREW):
    """Call a command that has the options; give what it was told, or what it printed."""
    told = []

    @takes(*sources)
    def brew(flags: Flags) -> None:
        """Brew."""
        told.append(flags)

    small = typer.Typer(rich_markup_mode=None)
    small.command(cls=HelpfulCommand)(brew)
    ended = CliRunner().invoke(small, list(words), env={"COLUMNS": "120"})
    if ended.exception is not None and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    return told[0] if told else " ".join((ended.stdout + ended.stderr).split())


def test_what_is_given_becomes_settings():
    """Every type: a number, a choice, a switch, "off", "auto", lists; what is not given is the class's default."""
    words = shlex.split("--minutes 2.5 --sort black --sugar off --strong --steps 3,4 --heat auto --leaves 7")
    made = run(*words, "--herbs", 'mint,"sage, dried"').build(Brew)
    assert made == Brew(
        minutes=2.5, sort="black", sugar=None, leaves=7, strong=True, steps=(3, 4), herbs=("mint", "sage, dried"),
        heat="auto",
    )  # fmt: skip
    assert run().given == {}
    assert run("--no-strong").build(Brew, {"strong": True}).strong is False
    assert run("--heat", "80").build(Brew).heat == 80


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--minutes", "long"), "--minutes 'long' is not possible: give a number"),
        (("--sugar", "2.5"), "--sugar '2.5' is not possible: give a whole number or off"),
        (("--heat", "hot"), "--heat 'hot' is not possible: give a number such as 2e-4 or auto"),
        (("--steps", "1,b"), "--steps 1,b: give whole numbers, separated by commas"),
        (("--herbs", '"mint'), "in double quotes"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(words, said):
    """The message names the option and what it takes."""
    with pytest.raises(SettingsError, match=re.escape(said)):
        run(*words)


def test_choices_are_choices():
    """A word that a setting does not have is refused with those it has."""
    said = run("--sort", "white")
    assert "green" in said
    assert "black" in said


def test_the_class_is_the_help():
    """Meaning, default and choices of each option stand in the class; a default of None in its docstring."""
    shown = run("--help")
    for wanted in (
        "Minutes that it draws. [default: 3]",
        "<green|black>",
        "INTEGER|off",
        "Leaves that are counted. [default: all of them]",
        "--strong / --no-strong",
        "[default: no-strong]",
        "[default: 1,2]",
        'Degrees, or "auto". [default: what suits]',
    ):
        assert wanted in shown


def test_a_new_setting_is_a_new_option():
    """One line in a settings class, and each command that takes the class has it, in help and in use."""
    shown = run("--help", sources=(From(kind=LongBrew),))
    assert "--lid / --no-lid" in shown
    assert "Put a lid on. [default: lid]" in shown
    assert run("--no-lid", sources=(From(kind=LongBrew),)).build(LongBrew) == LongBrew(lid=False)


def test_methods_share_options():
    """One option for what two methods have; the help says whose a default is, and whose an option is."""
    sources = (From(kind=Brew, method="quick"), From(kind=LongBrew, method="slow"))
    shown = run("--help", sources=sources)
    assert shown.count("--minutes") == 1
    assert "Minutes that it draws. [default: quick 3; slow 8]" in shown
    assert "slow: put a lid on. [default: lid]" in shown


def test_a_command_may_have_less():
    """Fields that a command has no use for are no options of it, and it may have another default or name."""
    source = From(kind=Brew, without=("heat",), defaults={"minutes": 5.0}, names={"sugar": ("--sweet", "--sugar")})
    shown = run("--help", sources=(source,))
    assert "--heat" not in shown
    assert "[default: 5]" in shown
    assert "--sweet, --sugar" in shown
    assert "--steps" not in run("--help", sources=(From(kind=Brew, only=("sort",)),))


@pytest.mark.parametrize("kind", [ReadSettings, FeatureSettings, HeadSettings])
def test_every_setting_says_what_it_means(kind):
    """No field without words, and none whose default is None without saying what holds then."""
    words = meanings(kind)
    for name, field in settable(kind).items():
        assert words[name]
        assert field.default is not None or " Default: " in words[name], name


def test_every_option_has_words():
    """No option of any command is without help."""
    silent = {
        (words, option.name)
        for words in {line["command"] for line in kept()}
        for option in command_of(words).params
        if option.param_type_name == "option" and not (option.help or "").strip()
    }
    assert silent == set()


@pytest.mark.parametrize("names", [("joy", "sad"), ("a, b", 'c "d"'), ("기쁨",)])
def test_names_are_said_as_they_are_taken(names):
    """A command that is printed for copying names the classes so that they are the same classes again."""
    assert names_of(said_names(names)) == names


def test_settings_that_a_class_only_inherits_are_no_options():
    """What a student or an encoder does not use is not offered."""
    assert "--balance" not in {opt for one in command_of("distil").params for opt in one.opts}
    assert "--best-by" not in {opt for one in command_of("pretrain").params for opt in one.opts}
    assert OFF == "off"
    assert "balance" in settable(LoopSettings)
