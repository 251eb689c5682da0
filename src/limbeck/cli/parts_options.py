"""Folders of parts, for the commands that can write one: their options, when they mean one, and what is said of one.

In: what was typed. Out: the folder, and its sum in a line. It does not know how parts are made.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from limbeck.cli import screen
from limbeck.cli.help_screen import FOLDER_OF_PARTS
from limbeck.cli.settings_options import Flags, From, option_names
from limbeck.errors import SettingsError
from limbeck.scale.scale_settings import ScaleSettings
from limbeck.settings import FeatureSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from limbeck.scale.parts_answers import PartsSummary
    from limbeck.scale.parts_request import PartsRequest
    from limbeck.scale.work import Work

IN_PARTS = From(kind=ScaleSettings, group=FOLDER_OF_PARTS)


def means_parts(source: str, out: Path | None, flags: Flags, *, overwrite: bool, option: str) -> bool:
    """Tell whether results go into a folder of parts; refuse what fits only the other way.

    Args:
        source: what is read.
        out: where results go.
        flags: that were given.
        overwrite: whether a file may be replaced.
        option: that names `out`, for messages.

    Raises:
        SettingsError: says which option is for the other way.
    """
    from limbeck.scale.input_files import is_pattern

    if out is not None and not out.suffix:
        if overwrite:
            raise SettingsError(f"--overwrite is for a file: the same command goes on with {out}, or remove the folder")
        return True
    if given := [option_names(name)[0] for name in flags.of(IN_PARTS)]:
        raise SettingsError(f"{given[0]} is about a folder of parts: give {option} a name without a suffix")
    if is_pattern(source):
        raise SettingsError(f"{source} means several files: give {option} a folder for their parts, without a suffix")
    return False


def means_parts_in_folder(source: str, out: Path, flags: Flags) -> bool:
    """Tell whether a folder that a command writes in any case is one of parts.

    As everywhere, a pattern and an option that is about parts mean one; so do a store, whose files are read in no other
    way by this command, and a folder that was begun as one.

    Args:
        source: what is read.
        out: the folder.
        flags: that were given.
    """
    from limbeck.remote_files import is_remote
    from limbeck.scale.input_files import is_pattern
    from limbeck.scale.parts_folder import PartsFolder

    return bool(flags.of(IN_PARTS)) or is_remote(source) or is_pattern(source) or PartsFolder(out).plan_path.is_file()


def parts_request(
    run: "Path | str", source: str, out: Path, flags: Flags, *, reading: From, work: "Work"
) -> "PartsRequest":
    """Return what is to be done with the rows of files, into a folder of parts.

    Args:
        run: the model.
        source: what is read.
        out: the folder.
        flags: that were given.
        reading: those of them by which files are read.
        work: that is done.
    """
    from limbeck.scale.parts_request import PartsRequest

    return PartsRequest(
        source=source,
        run=run,
        out=out,
        scale=flags.build(ScaleSettings),
        computing=flags.build(FeatureSettings),
        reading=flags.of(reading),
        work=work,
    )


def require_none_given(given: "Mapping[str, Any]", why: str) -> None:
    """Refuse options that have no meaning for a folder of parts.

    Args:
        given: options by their names, and their values; None or False where one was not given.
        why: they have none.

    Raises:
        SettingsError: names the first.
    """
    if unused := [name for name, value in given.items() if value is not None and value is not False]:
        raise SettingsError(f"{unused[0]} has no meaning for a folder of parts: {why}")


def fill_parts(request: "PartsRequest", *, as_json: bool) -> None:
    """Make a folder of parts, or go on with it, and say what is in it."""
    found = compute_parts(request)
    if as_json:
        screen.show_json(parts_facts(found, request.out))
    else:
        screen.show_line(say_parts(found, request.out))
    found.require_whole(request.out)


def compute_parts(request: "PartsRequest") -> "PartsSummary":
    """Make a folder of parts, or go on with it."""
    from limbeck.scale.parts_answers import predict_to_parts

    following = screen.following()
    found = predict_to_parts(request, progress=following)
    screen.tell_notes(found.notes, following)
    return found


def parts_facts(found: "PartsSummary", out: Path) -> dict[str, Any]:
    """Return what is in a folder of parts, for a program to read."""
    counts = {name: getattr(found, name) for name in ("rows", "left_out", "parts", "computed", "count_cut")}
    return {"out": str(out), **counts, "set_aside": [one.words for one in found.set_aside]}


def say_parts(found: "PartsSummary", out: Path) -> str:
    """Say what is in a folder of parts, and what the model read of the texts."""
    return f"{say_rows(found, out)}; {screen.say_read(found)}"


def say_rows(found: "PartsSummary", out: Path) -> str:
    """Say how many rows and parts are in a folder of parts."""
    now = "" if found.computed == found.parts else f" ({found.computed:,} computed now)"
    parts = f"{found.parts:,} part{'s' * (found.parts != 1)}{now}"
    return f"{out}: {found.rows:,} rows in {parts}"
