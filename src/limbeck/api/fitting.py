"""Training by name: a method, options by keyword, a run folder; and the search for better options.

In: rows, or where they are, and options. Out: a run, or a sweep. Training itself is the methods' own.
"""

from pathlib import Path
from typing import Any

from limbeck.api.given import Rows, dataset_of, require_path
from limbeck.experiments.sweep_folder import Sweep
from limbeck.experiments.sweep_methods import Sweeping
from limbeck.experiments.sweep_methods import sweep as sweep_method
from limbeck.methods.options import reading_options, training_of
from limbeck.methods.probe import ProbeRun
from limbeck.methods.table import method_named
from limbeck.progress import ProgressLike, as_progress
from limbeck.reading.read import said_in_python
from limbeck.setting_tables import build, settable
from limbeck.settings import SweepSettings
from limbeck.training.outcome import LoopRun
from limbeck.training.session import Start


@said_in_python()
def train(
    data: Rows,
    out: str | Path,
    *,
    method: str = "probe",
    start: Start = "new",
    progress: ProgressLike = None,
    **options: Any,
) -> ProbeRun | LoopRun:
    """Fit a classifier and leave a run folder: model, figures, predictions.

    Args:
        data: labelled rows as a `Dataset`, or a path as `read` takes it. The validation split is only scored, and made
            of training rows where there is none; a test split is not looked at.
        out: the run folder.
        method: "probe" (a linear model on a frozen encoder), "head" (trained by gradients on a frozen encoder), or
            "finetune" (head and encoder together).
        start: what to do with a run that is in `out`: "new" refuses it, "overwrite" replaces it, "resume" goes on.
        progress: True shows what is being done.
        **options: settings of the method by name, as the options of `limbeck train` with underscores: encoder, pooling,
            max_tokens, folds, epochs, learning_rate, batch_rows, seed, …; also validation_share, and of a path
            text_column, label_column, encoding, …

    Raises:
        SettingsError: an option is unknown (the nearest is named) or impossible, or `out` holds a run.
        DataError: a row has no label, a class no training rows.

    Example:
        >>> run = train(data, "RUN", method="probe", pooling="mean", folds=2)
        >>> run.validation.rows == run.dataset.split_sizes()["validation"]
        True
    """
    following = as_progress(progress)
    training = training_of(method, options)
    require_path(data, reading_options(options), where="train")
    rows = dataset_of(data, training.read, following, where="train")
    run: ProbeRun | LoopRun = method_named(method).train(rows, Path(out), training, start=start, progress=following)
    return run


@said_in_python()
def sweep(
    data: Rows,
    out: str | Path,
    *,
    method: str = "probe",
    resume: bool = False,
    progress: ProgressLike = None,
    **options: Any,
) -> Sweep:
    """Look for better settings of a method within a budget of minutes; the validation split decides.

    Args:
        data: labelled rows as a `Dataset`, or a path as `read` takes it.
        out: the folder of the sweep.
        method: as `train` takes it.
        resume: go on with the sweep in `out`.
        progress: True shows what is being done.
        **options: of the search (budget_minutes, most_trials, by, and space: a TOML file with a search space), and of
            the training as `train` takes them: where the search begins, and what it does not vary. A seed is of both.

    Raises:
        MissingExtraError: Optuna is not installed.
        SettingsError: an option is unknown or impossible, or `out` holds another sweep.

    Example:
        >>> found = sweep(data, "SWEEP", method="probe", most_trials=1, pooling="mean", folds=2)
        >>> len(found.trials)
        1
    """
    following = as_progress(progress)
    space = options.pop("space", None)
    searching = {key: options[key] for key in settable(SweepSettings) if key in options}
    training = training_of(
        method, {key: value for key, value in options.items() if key not in searching or key == "seed"}
    )
    require_path(data, reading_options(options), where="sweep")
    settings = Sweeping(
        base=training,
        search=build(SweepSettings, searching, where="sweep"),
        space=None if space is None else Path(space),
    )
    rows = dataset_of(data, training.read, following, where="sweep")
    return sweep_method(rows, out, settings, resume=resume, progress=following)
