"""`limbeck sweep`: look for better settings within a budget of minutes."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from limbeck.cli import options, screen
from limbeck.cli import training_options as own
from limbeck.cli.settings_options import Flags, From, takes
from limbeck.errors import SettingsError
from limbeck.methods.table import METHODS, Method
from limbeck.settings import ReadSettings, SweepSettings

if TYPE_CHECKING:
    from limbeck.experiments.sweep_folder import Sweep

SHOWN_TRIALS = 10
VARIED = ("encoder", "pooling", "max_tokens", "epochs", "batch_rows", "balance", "seed", "device")
"""Settings of a training that a sweep has options for; a settings file has all."""
ALL_TABLES = tuple(dict.fromkeys(table for tables in options.TABLES.values() for table in tables))


@takes(
    From(kind=SweepSettings, group=None),
    *(replace(one, only=tuple(name for name in one.fields if name in VARIED)) for one in own.CLASSIFIER[:-1]),
    options.READING,
)
def sweep(
    data: options.Data,
    out: Annotated[Path, options.out("Folder of the sweep.")],
    flags: Flags,
    method: own.AnyMethodName = None,
    teacher: Annotated[
        Path | None, typer.Option(help="Run folder of the model to learn from; with --method distil.")
    ] = None,
    space: Annotated[
        Path | None,
        typer.Option(
            help="TOML file whose table [search] says what to vary, e.g. learning_rate = { low = 1e-5, high = 1e-3, "
            "log = true }. [default: what is sensible for the method]"
        ),
    ] = None,
    config: Annotated[Path | None, options.config(ALL_TABLES)] = None,
    cache_dir: options.CacheFolder = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the sweep in --out.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Try settings of a training on DATA until the minutes are used up; leave the best as a file for `limbeck train`.

    The validation split decides; a test split is not looked at. The first trial is that of the settings as given.
    """
    from limbeck.experiments.sweep_methods import Sweeping
    from limbeck.experiments.sweep_methods import sweep as look_for
    from limbeck.features.cache import FeatureCache

    tables = options.tables_of(config, ALL_TABLES)
    chosen = own.method_asked(method, tables)
    base = own.settings_of(chosen, flags, tables)
    by = "loss" if METHODS[chosen].learns_from == "texts" else None
    settings = flags.build(SweepSettings, {"by": by}, where="sweep")
    following = screen.following()
    found = look_for(
        _material(METHODS[chosen], data, base, flags, teacher),
        out,
        Sweeping(base=base, search=settings, space=space),
        resume=resume,
        cache=FeatureCache(cache_dir),
        progress=following,
    )
    if as_json:
        screen.show_json(found.to_dict())
        return
    how = options.reading_words(flags)
    _show(found, out)
    made = ("--config", out / "best.toml", "--out", screen.free_place("RUN"))
    verb = {"teachers": "distil", "texts": "pretrain"}.get(METHODS[chosen].learns_from, "train")
    screen.show_next(verb, *([] if teacher is None else [teacher]), data, *made, how=how)


def _material(method: Method, data: str, base: Any, flags: Flags, teacher: Path | None) -> Any:
    """Return what a method learns from.

    Raises:
        SettingsError: a teacher is wanted and not given, or given and not wanted.
    """
    from limbeck.methods.distil import Curriculum
    from limbeck.reading.read import read_with
    from limbeck.reading.text_stream import open_stream

    if (teacher is None) == (method.learns_from == "teachers"):
        raise SettingsError("--teacher TEACHER goes with --method distil, and --method distil needs one")
    if method.learns_from == "texts":
        reading = flags.build(ReadSettings)
        return open_stream(Path(data), text_column=reading.text_column, encoding=reading.encoding)
    rows = read_with(data, base.read, screen.following())
    return rows if teacher is None else Curriculum(teachers=[teacher], dataset=rows)


def _show(found: "Sweep", out: Path) -> None:
    ordered = found.ordered
    names = list(ordered[0].values)
    rows = [
        [
            f"{trial.number}{' (as given)' if trial.number == 0 else ''}",
            "" if trial.figure is None else f"{trial.figure:.4f}",
            "" if trial.epochs is None else f"{trial.epochs}{' (ended)' if trial.ended_early else ''}",
            f"{trial.seconds:,.0f}",
            *(_cell(asdict(trial)["values"][name]) for name in names),
        ]
        for trial in ordered[:SHOWN_TRIALS]
    ]
    title = f"{len(found.trials)} trials, the best {len(rows)} by {found.by} on the validation split"
    screen.show_table(title, ["trial", found.by, "epochs", "seconds", *names], rows)
    for trial in found.failed[:SHOWN_TRIALS]:
        screen.show_line(f"Trial {trial.number} failed: {trial.failed}")
    if more := found.failed[SHOWN_TRIALS:]:
        screen.show_line(f"… and {len(more)} more, in {out / 'sweep.json'}")
    screen.show_line(
        "The best of many trials on the same rows looks a little better than it is; score it on a test split."
    )
    screen.show_line(f"All trials are in {out / 'sweep.csv'} and {out / 'sweep.json'}; settings in {out / 'best.toml'}")


def _cell(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
