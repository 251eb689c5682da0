"""`limbeck train`: fit a classifier and leave a run folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from limbeck.cli import evaluation_screen, options, screen
from limbeck.cli import training_options as own
from limbeck.cli.figures_screen import show_seeds
from limbeck.cli.settings_options import Flags, takes
from limbeck.methods.table import CLASSIFIERS

if TYPE_CHECKING:
    from limbeck.methods.probe import ProbeRun
    from limbeck.training.outcome import LoopRun

    Run = LoopRun | ProbeRun


@takes(*own.CLASSIFIER)
@own.in_team()
def train(
    data: options.Data,
    out: options.RunOut,
    flags: Flags,
    method: own.MethodName = None,
    config: Annotated[Path | None, options.config(options.CLASSIFIER_TABLES)] = None,
    cache_dir: options.CacheFolder = None,
    overwrite: own.OverwriteRun = False,
    resume: own.Resume = False,
    accept_engine: own.AcceptEngine = False,
    elastic: own.Elastic = False,
    as_json: options.AsJson = False,
) -> None:
    """Train a classifier on DATA and leave a run folder: model, figures, predictions, pictures.

    The validation split is only scored, and made of training rows where there is none; a test split is not looked at.
    """
    from limbeck.features.cache import FeatureCache
    from limbeck.reading.read import read_with
    from limbeck.runtime import is_follower

    tables = own.tables_asked(config, out, resume=resume or elastic)
    chosen = own.method_asked(method, tables)
    settings = own.settings_of(chosen, flags, tables)
    start = own.start_of(overwrite=overwrite, resume=resume, accept_engine=accept_engine, elastic=elastic)
    following = screen.following()
    dataset = read_with(data, settings.read, following)
    run = CLASSIFIERS[chosen].train(
        dataset, out, settings, cache=FeatureCache(cache_dir), start=start, progress=following
    )
    if is_follower():
        return
    from limbeck.reporting.run_pictures import draw_pictures

    pictures = draw_pictures(run, following)
    if as_json:
        screen.show_json(run.metrics)
        return
    if "epochs" in run.metrics:
        evaluation_screen.show_epochs(run.metrics["epochs"], best_epoch=run.metrics["best_epoch"])
    if "spread" in run.metrics:
        show_seeds(run.metrics)
    by_folds = run.metrics.get("judged_by") == "out_of_fold"
    where = "out of fold, on all training rows" if by_folds else "on the validation split"
    evaluation_screen.show_evaluation(run.validation, title=f"{chosen.capitalize()} {where} of {data}")
    screen.show_warnings(run.metrics)
    screen.show_run_places(run.folder, pictures)
    screen.show_scoring_next(out, data, options.reading_words(flags), splits=run.dataset.split_names)
