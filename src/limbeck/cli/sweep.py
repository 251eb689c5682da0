"""`limbeck sweep`: look for better settings within a budget of minutes."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from limbeck.cli import options, screen
from limbeck.cli import training_options as own
from limbeck.cli.method_settings import settings_of

if TYPE_CHECKING:
    from limbeck.experiments.sweep_result import Sweep

SHOWN_TRIALS = 10


def sweep(
    data: options.Data,
    out: Annotated[Path, typer.Option(help="Folder of the sweep.", show_default=False)],
    method: own.MethodName = None,
    budget_minutes: Annotated[
        float | None, typer.Option(help="Minutes for all trials; the last ends with its epoch. [default: 30]")
    ] = None,
    trials: Annotated[int | None, typer.Option(help="End after so many trials. [default: as the time allows]")] = None,
    by: own.SweepBy = None,
    space: Annotated[
        Path | None,
        typer.Option(
            help="TOML file whose table [search] says what to vary, e.g. learning_rate = { low = 1e-5, high = 1e-3, "
            "log = true }. [default: what is sensible for the method]"
        ),
    ] = None,
    encoder: options.Encoder = None,
    pooling: options.Pooling = None,
    max_tokens: options.MaxTokens = None,
    epochs: own.Epochs = None,
    batch_size: own.BatchSize = None,
    balance: own.Balance = None,
    seed: options.Seed = None,
    config: options.Config = None,
    text_column: options.TextColumn = None,
    label_column: options.LabelColumn = None,
    label_names: options.LabelNames = None,
    encoding: options.Encoding = None,
    on_bad_row: options.OnBadRow = None,
    device: options.DeviceName = None,
    cache_dir: options.CacheFolder = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the sweep in --out.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """Try settings of a training on DATA until the minutes are used up; leave the best as a file for `limbeck train`.

    The validation split decides; a test split is not looked at. The first trial is that of the settings as given.
    """
    from limbeck import progress
    from limbeck.experiments.sweep_methods import Sweeping
    from limbeck.experiments.sweep_methods import sweep as look_for
    from limbeck.features.cache import FeatureCache
    from limbeck.reading.read import read_with
    from limbeck.settings import SplitSettings, SweepSettings, build

    tables = options.tables_of(config)
    chosen = own.method_of(method, tables)
    given = own.Given(
        read=options.read_settings(text_column, label_column, label_names, encoding, on_bad_row, tables),
        split=options.stage(SplitSettings, "split", tables, options.given(seed=seed)),
        features=own.only_given(encoder=encoder, pooling=pooling, max_tokens=max_tokens, device=device),
        fitting=own.only_given(epochs=epochs, batch_rows=batch_size, balance=balance, seed=seed),
    )
    base = settings_of(chosen, given, tables)
    wishes = own.only_given(budget_minutes=budget_minutes, most_trials=trials, by=by, seed=seed)
    settings = build(SweepSettings, wishes, where="sweep")
    following = progress.for_stream()
    found = look_for(
        read_with(data, given.read, following),
        out,
        Sweeping(base=base, search=settings, space=space),
        resume=resume,
        cache=FeatureCache(cache_dir),
        progress=following,
    )
    if as_json:
        screen.show_json(found.to_dict())
        return
    how = options.reading_flags(text_column, label_column, label_names, encoding, on_bad_row)
    _show(found, out)
    screen.show_next("train", data, "--config", out / "best.toml", "--out", screen.free_place("RUN"), how=how)


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
    screen.show_line("The best of many on the same rows flatters itself a little; a test split tells more.")
    screen.show_line(f"All trials are in {out / 'sweep.csv'} and {out / 'sweep.json'}; settings in {out / 'best.toml'}")


def _cell(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
