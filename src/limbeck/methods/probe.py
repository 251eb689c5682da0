"""A probe from end to end: labelled texts in, a run folder out.

In: a `Dataset` with labels. Out: a `ProbeRun`: bundle, figures on the validation split, predictions.
It does not read files of data, and never looks at the test split.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from limbeck import storage
from limbeck.catalog.presets import load_encoder_folder
from limbeck.data.dataset import Dataset
from limbeck.data.learned import write_learned
from limbeck.errors import SettingsError
from limbeck.evaluation.evaluation import Evaluation, evaluate
from limbeck.evaluation.limits import Circumstances, find_limits, told_of
from limbeck.evaluation.prediction_files import write_predictions
from limbeck.evaluation.predictions import Predictions
from limbeck.features.cache import FeatureCache
from limbeck.features.extraction import Features, extract_features
from limbeck.inference.choice import open_engine
from limbeck.inference.engine import Engine
from limbeck.linear.checks import check_probe
from limbeck.linear.fit import ProbeRows, fit_probe
from limbeck.linear.record import fit_record
from limbeck.methods.candidates import Candidates, all_blocks, candidates_for, columns_of
from limbeck.model.bundle import Bundle, save_bundle
from limbeck.model.facts import BundleFacts
from limbeck.model.heads import LinearHead
from limbeck.progress import SILENT, Named, Progress
from limbeck.runs.alike import alike_texts
from limbeck.runs.calibrated import calibrate_by, calibrate_by_folds, left_alone
from limbeck.runs.model_card import card_text
from limbeck.runs.run_folder import RunFolder, opened_run
from limbeck.runs.run_record import make_record
from limbeck.runs.run_view import RunView
from limbeck.runs.stopwatch import Stopwatch
from limbeck.runs.training_rows import is_judged_by_folds, training_rows
from limbeck.settings import FeatureSettings, ProbeSettings, ReadSettings, SplitSettings, to_toml
from limbeck.training.doubts import doubts_of, doubts_of_texts, say_doubts_of_texts
from limbeck.training.outcome import answers_of

OUT_OF_FOLD = "out_of_fold"
"""Name of the answers that cross-validation gave to the training rows."""


@dataclass(frozen=True, kw_only=True)
class ProbeTraining:
    """The settings of every stage of a probe; what `RUN/settings.toml` holds."""

    read: ReadSettings = ReadSettings()
    split: SplitSettings = SplitSettings()
    features: FeatureSettings = FeatureSettings()
    probe: ProbeSettings = ProbeSettings()

    def __post_init__(self) -> None:
        """Refuse what no probe can be fitted with, before any data is read."""
        check_probe(self.probe)

    def stages(self) -> dict[str, Any]:
        """Return each stage's settings by the name of its table."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


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
    validation: Evaluation
    out_of_fold: Evaluation
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
    overwrite: bool = False,
    progress: Progress = SILENT,
) -> ProbeRun:
    """Fit a linear probe on the training rows, score it on the validation rows, and leave a run folder.

    Args:
        dataset: labelled rows with a train split; validation rows are taken from it where there is no such split and
            `settings.split.validation_share` is above 0. With 0 it is fitted on all rows, and cross-validation judges.
        out: the run folder.
        settings: of every stage.
        cache: where features are kept; the user's cache folder when not given.
        overwrite: replace a finished run in `out`.
        progress: is told what is being done.

    Raises:
        DataError: no train split, a row without a label, a class without training rows.
        SettingsError: `dataset` is none, `out` holds a finished run, or the settings do not fit the encoder.
        StorageError: `out` cannot be written; it is opened before anything is computed.

    Example:
        >>> run = train_probe(read("sample"), "RUN")  # doctest: +SKIP
        >>> print(run.validation.accuracy.value)  # doctest: +SKIP
    """
    if not isinstance(dataset, Dataset):
        raise SettingsError(
            f"train_probe was given a {type(dataset).__name__} instead of a Dataset: read the rows first, "
            "train_probe(limbeck.read(path), out)"
        )
    watch = Stopwatch()
    with opened_run(Path(out), overwrite=overwrite) as folder:
        rows = training_rows(dataset, settings.split, progress, folds_may_judge=True)
        by_folds = is_judged_by_folds(rows.dataset, settings.split)
        engine = open_engine(
            load_encoder_folder(settings.features.encoder, progress=progress),
            device=settings.features.device,
            precision=settings.features.precision,
            progress=progress,
        )
        candidates = candidates_for(settings.features, engine.layers)
        say_doubts_of_texts(engine.loaded, rows.train.texts, progress)
        watch.lap("load")
        kept = cache or FeatureCache()
        train = _encode(rows.train, engine, candidates, settings.features, kept, Named(progress, "train rows"))
        validation = train
        if not by_folds:
            named = Named(progress, "validation rows")
            validation = _encode(rows.validation, engine, candidates, settings.features, kept, named)
        watch.lap("encode")
        columns = {name: columns_of(blocks, train.features.blocks, engine.width) for name, blocks in candidates.items()}
        fit = fit_probe(
            train.features.values_NF,
            ProbeRows(
                labels_N=train.rows.labels,
                label_names=rows.label_names,
                group_N=alike_texts(train.rows.texts, progress),
            ),
            settings=settings.probe,
            candidates=columns,
            progress=progress,
        )
        watch.lap("fit")
        head = LinearHead(fit.weight_CF, fit.bias_C)
        validation_NF = validation.features.values_NF[:, columns[fit.candidate]]
        if not settings.probe.calibrate:
            unseen_NC = fit.out_of_fold_NC if by_folds else head.probabilities(validation_NF)
            calibrated = left_alone(head, unseen_NC, validation.rows.labels)
        elif by_folds:
            calibrated = calibrate_by_folds(head, fit.out_of_fold_NC, train.rows.labels)
        else:
            calibrated = calibrate_by(
                head, fit.out_of_fold_NC, train.rows.labels, validation_NF, validation.rows.labels
            )
        answers = {
            "validation": answers_of(validation.rows, validation.features, calibrated.probabilities),
            OUT_OF_FOLD: answers_of(train.rows, train.features, fit.out_of_fold_NC),
        }
        scored = {name: _score(found, rows.majority_label, settings.probe.seed) for name, found in answers.items()}
        watch.lap("evaluate")

        record = make_record(rows.dataset, settings.stages(), engine.loaded, engine.numerics)
        limit = settings.features.max_tokens
        facts = BundleFacts(
            head="linear",
            blocks=candidates[fit.candidate],
            max_tokens=engine.loaded.tokenizer.max_tokens if limit is None else limit,
            label_names=rows.label_names,
            folded_temperature=calibrated.temperature,
            provenance={**record, "majority_label": rows.label_names[rows.majority_label]},
        )
        texts_cut = {name: int(found.truncated.sum()) for name, found in answers.items()}
        warnings = [
            *doubts_of_texts(engine.loaded, rows.validation.texts),
            *doubts_of(scored["validation"], method="probe"),
        ]
        known = Circumstances(
            method="probe",
            max_tokens=facts.max_tokens,
            texts_cut=texts_cut["validation"],
            told=told_of(warnings),
        )
        card = card_text(facts, scored["validation"], find_limits(scored["validation"], known))
        save_bundle(Bundle(loaded=engine.loaded, head=head, facts=facts), folder.bundle, card=card)
        for name, found in answers.items():
            if by_folds and name == "validation":
                continue
            write_predictions(folder.predictions(name), found)
        write_learned(folder.learned, rows.dataset.split("train").texts)
        storage.write_text(folder.settings, to_toml(settings.stages()))
        storage.write_json(folder.record, record)
        watch.lap("save")
        metrics: dict[str, Any] = {
            "method": "probe",
            "judged_by": OUT_OF_FOLD if by_folds else "validation",
            **{name: found.to_dict() for name, found in scored.items()},
            "temperature": calibrated.record,
            "probe": fit_record(fit),
            "texts_cut": {"max_tokens": facts.max_tokens, **texts_cut},
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


def _encode(
    rows: Dataset,
    engine: Engine,
    candidates: Candidates,
    settings: FeatureSettings,
    cache: FeatureCache,
    progress: Progress,
) -> _Encoded:
    features = extract_features(
        rows.texts,
        engine,
        all_blocks(candidates),
        max_tokens=settings.max_tokens,
        cache=cache,
        progress=progress,
    )
    return _Encoded(rows=rows, features=features)


def _score(found: Predictions, majority_label: int, seed: int) -> Evaluation:
    return evaluate(
        found.probabilities, found.known_labels, found.label_names, majority_label=majority_label, seed=seed
    )
