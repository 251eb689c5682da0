"""How `--help` looks: plain, every name and default whole at any width, options in groups.

In: commands whose options may name a group (`rich_help_panel`). Out: their help. It does not know what they do.

Typer's own tables cut names off on a narrow terminal, and take "[default: 64]" for markup, which they swallow.
"""

from typing import TYPE_CHECKING

from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from typer._click.core import Context
    from typer._click.formatting import HelpFormatter

WIDEST = 120
"""Characters of a line of help at most; a narrower terminal has narrower lines."""
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": WIDEST}
"""The context settings of every command."""

DATA = "Reading DATA"
FEATURES = "Encoder and features"
TRAINING = "Training"
MACHINE = "Machine"
OUTPUT = "Output"
SERVING = "Serving"
FOLDER_OF_PARTS = "A folder of parts"
ORDER = ("Arguments", "Options", OUTPUT, FOLDER_OF_PARTS, SERVING, DATA, FEATURES, TRAINING, MACHINE)
"""Of the groups in the help of a command."""


class HelpfulCommand(TyperCommand):
    """A command whose help is plain, its options in groups."""

    def collect_usage_pieces(self, ctx: "Context") -> list[str]:
        """Name the arguments in the usage line as the list below it does."""
        given = [one for one in self.get_params(ctx) if one.param_type_name == "argument"]
        return ["[OPTIONS]", *(one.metavar or (one.name or "").upper() for one in given)]

    def format_options(self, ctx: "Context", formatter: "HelpFormatter") -> None:
        """Write the options, those of one group together."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            own = "Arguments" if param.param_type_name == "argument" else "Options"
            if (written := param.get_help_record(ctx)) is not None:
                groups.setdefault(getattr(param, "rich_help_panel", None) or own, []).append(written)
        for title in sorted(groups, key=ORDER.index):
            with formatter.section(title):
                formatter.write_dl(groups[title])


class HelpfulGroup(TyperGroup):
    """A group that lists its commands with the whole first sentence of each."""

    def format_options(self, ctx: "Context", formatter: "HelpFormatter") -> None:
        """Write the group's options and its commands."""
        options = [param.get_help_record(ctx) for param in self.get_params(ctx)]
        with formatter.section("Options"):
            formatter.write_dl([row for row in options if row is not None])
        groups: dict[str, list[tuple[str, str]]] = {}
        for name, one in self.commands.items():
            title = getattr(one, "rich_help_panel", None) or "Commands"
            groups.setdefault(title, []).append((name, _summary(one.help or "")))
        width = max(map(len, self.commands))
        for title, rows in groups.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), words) for name, words in rows])


def _summary(text: str) -> str:
    return " ".join(text.partition("\n\n")[0].split())
