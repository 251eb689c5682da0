"""A probe from end to end: labelled texts in, a run folder out.

In: a `Dataset` with labels. Out: a `ProbeRun`: bundle, figures on the validation split, predictions.
It does not read files of data, and never looks at the test split.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from limbeck import storage
from limbeck.catalog.presets import load_encoder_folder
from limbeck.data.dataset import Dataset
from limbeck.data.learned import write_learned
from limbeck.errors import SettingsError
from limbeck.evaluation.any_evaluation import AnyEvaluation
from limbeck.evaluation.limits import Circumstances, told_of
from limbeck.evaluation.prediction_files import write_predictions
from limbeck.features.cache import FeatureCache
from limbeck.features.extraction import Features, extract_features
from limbeck.inference.choice import open_engine
from limbeck.inference.engine import Engine
from limbeck.inference.usage import Usage, some_of
from limbeck.methods.candidates import Candidates, all_blocks, candidates_for, columns_of
from limbeck.methods.probe_kinds import OUT_OF_FOLD, PROBES, FittedProbe, ProbeTarget, ToJudge
from limbeck.methods.trainings import ProbeTraining
from limbeck.methods.window_choice import SettledWindow, choose_window, settle_window
from limbeck.model.blocks import Block
from limbeck.model.bundle import Bundle, save_bundle
from limbeck.model.facts import BundleFacts
from limbeck.progress import SILENT, Named, Progress, ProgressLike, as_progress
from limbeck.runs.model_card import card_of
from limbeck.runs.run_folder import RunFolder, opened_run
from limbeck.runs.run_record import make_record
from limbeck.runs.run_view import RunView
from limbeck.runs.stopwatch import Stopwatch
from limbeck.runs.training_rows import TrainingRows, alike_texts, is_judged_by_folds, training_rows
from limbeck.runtime import is_one_of_many
from limbeck.setting_tables import to_toml
from limbeck.training.doubts import doubts_of, doubts_of_texts, say_doubts_of_texts
from limbeck.training.outcome import answered_rows
from limbeck.training.session import Start


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ProbeRun(RunView):
    """What training a probe made.

    Attributes:
        folder: where everything is.
        dataset: the rows, with the splits that were used.
        validation: figures on the validation split; those out of fold where there is none.
        out_of_fold: figures on the training rows, each answered by a model that did not see it.
        metrics: what `metrics.json` holds.
    """

    folder: RunFolder
    dataset: Dataset
    validation: AnyEvaluation
    out_of_fold: AnyEvaluation
    metrics: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Encoded:
    """The rows of one split and their features."""

    rows: Dataset
    features: Features


def train_probe(
    dataset: Dataset,
    out: str | Path,
    settings: ProbeTraining = ProbeTraining(),
    *,
    cache: FeatureCache | None = None,
    start: Start = "new",
    progress: ProgressLike = SILENT,
) -> ProbeRun:
    """Fit a linear probe on the training rows, score it on the validation rows, and leave a run folder.

    Args:
        dataset: labelled rows with a train split; validation rows are taken from it where there is no such split and
            `settings.split.validation_share` is above 0. With 0 it is fitted on all rows, and cross-validation judges.
        out: the run folder.
        settings: of every stage.
        cache: where features are kept; the user's cache folder when not given.
        start: what to do with a run that is in `out`; an unfinished probe has nothing to go on from.
        progress: is told what is being done.

    Raises:
        DataError: no train split, a row without a label, a class without training rows.
        SettingsError: `dataset` is none, `out` holds a finished run, or the settings do not fit the encoder.
        StorageError: `out` cannot be written; it is opened before anything is computed.

    Example:
        >>> run = train_probe(data, "PROBE", ProbeTraining(probe=ProbeSettings(folds=2)))
        >>> 0 <= run.validation.accuracy.value <= 1
        True
    """
    progress = as_progress(progress)
    if not isinstance(dataset, Dataset):
        raise SettingsError(
            f"train_probe was given a {type(dataset).__name__} instead of a Dataset: read the rows first, "
            "train_probe(limbeck.read(path), out)"
        )
    if start not in ("new", "overwrite"):
        raise SettingsError(
            "a probe is not resumed: leave --resume and --elastic out; its features are kept, so little is lost"
        )
    if is_one_of_many():
        raise SettingsError("a probe is fitted in one process: run limbeck without torchrun")
    dataset.task.require(tuple(PROBES), doing="--method probe")
    watch = Stopwatch()
    with opened_run(Path(out), overwrite=start == "overwrite") as folder:
        rows = training_rows(dataset, settings.split, progress, folds_may_judge=True)
        engine = open_engine(
            load_encoder_folder(settings.features.encoder, progress=progress),
            usage=Usage(texts=some_of(rows.validation.texts)),
            device=settings.features.device,
            precision=settings.features.precision,
            engine=settings.features.engine,
            progress=progress,
        )
        say_doubts_of_texts(engine.loaded, rows.train.texts, progress)
        watch.lap("load")
        kept = cache or FeatureCache()
        settled = settle_window(
            settings.features,
            engine.loaded.tokenizer,
            lambda features: choose_window(rows.train, engine, features, cache=kept, progress=progress),
        )
        settings = replace(settings, features=settled.features)
        fitted = _fit(rows, _Source(engine=engine, settled=settled, cache=kept), settings, watch, progress)
        return _leave(fitted, folder, settings, watch)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Source:
    """Where features come from: what computes them, of what is read of a text, and where they are kept."""

    engine: Engine
    settled: SettledWindow
    cache: FeatureCache


@dataclass(frozen=True, kw_only=True, eq=False)
class _Fitted:
    """A probe, and what it was fitted on.

    Attributes:
        rows: of the training.
        engine: computed the features.
        settled: what is read of a text, and why.
        blocks: that the probe sees.
        fit: the probe.
        train: the training rows and their features.
        validation: the rows that judge it and their features.
        by_folds: whether cross-validation judges it, as there are no validation rows.
        validation_NF: what the probe sees of the rows that judge it.
    """

    rows: TrainingRows
    engine: Engine
    settled: SettledWindow
    blocks: tuple[Block, ...]
    fit: FittedProbe
    train: _Encoded
    validation: _Encoded
    by_folds: bool
    validation_NF: np.ndarray


def _fit(
    rows: TrainingRows,
    source: _Source,
    settings: ProbeTraining,
    watch: Stopwatch,
    progress: Progress,
) -> _Fitted:
    """Encode the rows, and fit a probe on those to learn from."""
    engine = source.engine
    by_folds = is_judged_by_folds(rows.dataset, settings.split)
    candidates = candidates_for(settings.features, engine.layers)
    train = _encode(rows.train, source, candidates, Named(progress, "train rows"))
    validation = train
    if not by_folds:
        named = Named(progress, "validation rows")
        validation = _encode(rows.validation, source, candidates, named)
    watch.lap("encode")
    columns = {name: columns_of(blocks, train.features.blocks, engine.width) for name, blocks in candidates.items()}
    target = ProbeTarget(
        features_NF=train.features.values_NF,
        rows=train.rows,
        group_N=alike_texts(train.rows.texts, progress),
        columns=columns,
    )
    fit = PROBES[rows.dataset.task.name](target, settings.probe, progress)
    watch.lap("fit")
    return _Fitted(
        rows=rows,
        engine=engine,
        settled=source.settled,
        blocks=candidates[fit.candidate],
        fit=fit,
        train=train,
        validation=validation,
        by_folds=by_folds,
        validation_NF=validation.features.values_NF[:, columns[fit.candidate]],
    )


def _leave(fitted: _Fitted, folder: RunFolder, settings: ProbeTraining, watch: Stopwatch) -> ProbeRun:
    """Score the answers and write everything that a finished run leaves; the figures last."""
    rows, engine, fit, validation = fitted.rows, fitted.engine, fitted.fit, fitted.validation
    record = make_record(rows.dataset, settings.stages(), engine.loaded, engine.numerics)
    window = fitted.settled.window
    facts = BundleFacts(
        head="linear",
        blocks=fitted.blocks,
        max_tokens=window.max_tokens,
        label_names=rows.label_names,
        pair=rows.dataset.pair,
        provenance={**record, **rows.baseline},
        window=window.name,
        task=rows.dataset.task.name,
        label_parents=rows.label_parents,
    )
    judge = ToJudge(
        train=answered_rows(fitted.train.rows, fitted.train.features),
        validation=None if fitted.by_folds else answered_rows(validation.rows, validation.features),
        validation_NF=None if fitted.by_folds else fitted.validation_NF,
    )
    settled = fit.settle(facts, judge, settings.probe)
    facts, answers, scored = settled.facts, settled.answers, settled.scored
    watch.lap("evaluate")
    texts_cut = {name: int(found.truncated.sum()) for name, found in answers.items()}
    warnings = [
        *doubts_of_texts(engine.loaded, rows.validation.texts),
        *doubts_of(scored["validation"], method="probe"),
    ]
    known = Circumstances(
        method="probe",
        max_tokens=facts.max_tokens,
        window=window.name,
        texts_cut=texts_cut["validation"],
        told=told_of(warnings),
    )
    card = card_of(facts, scored["validation"], known)
    save_bundle(Bundle(loaded=engine.loaded, head=fit.head, facts=facts), folder.bundle, card=card)
    for name, found in answers.items():
        if not (fitted.by_folds and name == "validation"):
            write_predictions(folder.predictions(name), found)
    write_learned(folder.learned, rows.dataset.split("train").texts)
    storage.write_text(folder.settings, to_toml(settings.stages()))
    storage.write_json(folder.record, record)
    watch.lap("save")
    metrics: dict[str, Any] = {
        "method": "probe",
        "judged_by": OUT_OF_FOLD if fitted.by_folds else "validation",
        **{name: found.to_dict() for name, found in scored.items()},
        **settled.record,
        "probe": fit.record(),
        "texts_cut": {"max_tokens": facts.max_tokens, "window": window.name, **texts_cut},
        **({} if fitted.settled.choice is None else {"window": fitted.settled.choice}),
        "seconds": watch.seconds,
        "warnings": warnings,
    }
    storage.write_json(folder.metrics, metrics)
    return ProbeRun(
        folder=folder,
        dataset=rows.dataset,
        validation=scored["validation"],
        out_of_fold=scored[OUT_OF_FOLD],
        metrics=metrics,
    )


def _encode(rows: Dataset, source: _Source, candidates: Candidates, progress: Progress) -> _Encoded:
    features = extract_features(
        rows.texts,
        source.engine,
        all_blocks(candidates),
        window=source.settled.window,
        cache=source.cache,
        progress=progress,
    )
    return _Encoded(rows=rows, features=features)
