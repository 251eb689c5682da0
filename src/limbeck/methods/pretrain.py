"""Pretraining from end to end: a stream of raw text in, an encoder out.

A student learns from its teacher by the triple loss of DistilBERT, or an encoder adapts itself to a domain by guessing
masked tokens; the same loop, the same checkpoints. A teacher without a language head gets one first, trained on the
stream while the teacher itself stays as it is.

In: a `TextStream`. Out: a `PretrainedRun`; RUN/encoder is an encoder's folder with its language head. It does not know
labels.

Source: Sanh, Debut, Chaumond, Wolf, "DistilBERT, a distilled version of BERT" (2019).
"""

import copy
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch

from limbeck import storage
from limbeck.catalog.presets import find_encoder, load_encoder_folder
from limbeck.display.views import View
from limbeck.methods.language import (
    LanguageJudge,
    LanguageLosses,
    LanguageModel,
    Perplexity,
    Reading,
    Triple,
    masking_vocabulary,
)
from limbeck.methods.pretrain_settings import Pretraining, PretrainingSettings, check_pretraining
from limbeck.methods.teacher_head import Material, language_judge_of, split_rows, train_head_first
from limbeck.methods.time_budget import steps_within
from limbeck.methods.token_store import TokenStore, make_store
from limbeck.model.language_head import LanguageHead, load_language_head, write_language_model
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.model.student import count_costs, make_student, taken_layers
from limbeck.progress import SILENT, Progress, ProgressLike, as_progress
from limbeck.reading.text_stream import TextStream
from limbeck.runs.run_folder import RunFolder
from limbeck.runtime import choose_device, library_versions
from limbeck.setting_tables import to_plain, to_toml
from limbeck.settings import Device
from limbeck.training.arithmetic import Arithmetic, device_to_train_on, find_arithmetic, language_trainee, native_beside
from limbeck.training.job import train
from limbeck.training.native_step import NativeStep
from limbeck.training.plan import Job, LoopResult, Plan
from limbeck.training.session import Session, Start


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class PretrainedRun(View):
    """What a pretraining made.

    Attributes:
        folder: where everything is; `folder.encoder` is the encoder.
        metrics: what `metrics.json` holds.
    """

    folder: RunFolder
    metrics: Mapping[str, Any]

    def _lines(self) -> tuple[str, str]:
        epochs = self.metrics["epochs"]
        best = epochs[self.metrics["best_epoch"] - 1]
        return (
            f"Run {self.folder.path} (pretrain): validation loss {best['validation_loss']:.3f} nats after "
            f"{len(epochs)} {'epoch' if len(epochs) == 1 else 'epochs'}",
            f"the encoder: {self.folder.encoder}",
        )


def pretrain(
    stream: TextStream,
    out: str | Path,
    settings: PretrainingSettings = PretrainingSettings(),
    *,
    start: Start = "new",
    progress: ProgressLike = SILENT,
) -> PretrainedRun:
    """Train an encoder on raw text.

    Args:
        stream: the texts; some of them are held out to judge by.
        out: the run folder.
        settings: of everything.
        start: what to do with a run that is in `out`.
        progress: is told what is being done.

    Raises:
        DataError: there is no text, or a file is damaged.
        SettingsError: `out` holds another run, or the student does not fit its teacher.
        TrainingError: the loss is not finite.
        Interrupted: a signal came; a checkpoint is saved.

    Example:
        >>> settings = PretrainingSettings(steps=4, epochs=1, max_tokens=16, head_steps=10)
        >>> run = pretrain(open_stream("reviews.csv"), "ENCODER", settings)
        >>> run.metrics["validation"]["perplexity"] > 1
        True
    """
    progress = as_progress(progress)
    return train(PretrainRecipe(settings, stream), out, start, progress=progress)


def recipe_of(settings: Pretraining, stream: TextStream, _cache: object) -> "PretrainRecipe":
    """Return the recipe of a pretraining, which keeps no features."""
    return PretrainRecipe(settings.pretrain, stream)


@dataclass(frozen=True)
class PretrainRecipe:
    """Pretraining on a stream of texts, as `training.job.train` asks for it."""

    settings: PretrainingSettings
    stream: TextStream
    name = "pretrain"
    figures = ("perplexity", "guessed", "loss")

    @property
    def loop(self) -> PretrainingSettings:
        """The settings of the loop."""
        return self.settings

    def stages(self) -> dict[str, Any]:
        """Return each stage's settings by the name of its table."""
        return {self.name: self.settings}

    def with_loop(self, loop: Mapping[str, Any]) -> "PretrainRecipe":
        """Return the same with other settings of the loop."""
        return replace(self, settings=replace(self.settings, **loop))

    def data(self) -> dict[str, Any]:
        """Say what it is trained on."""
        return {"source": ", ".join(map(str, self.stream.files)), "fingerprint": self.stream.fingerprint()}

    def check(self) -> None:
        """Refuse settings that no pretraining can use.

        Raises:
            SettingsError: gathers every fault.
        """
        check_pretraining(self.settings)

    def usual_rate(self, progress: Progress = SILENT) -> float:
        """Return the learning rate that is the default."""
        return PretrainingSettings().learning_rate

    def prepare(self, session: Session) -> Job[PretrainedRun]:
        """Make the student, tokenize the stream, and give the teacher its language head.

        Raises:
            DataError: there is no text, or a file is damaged.
            SettingsError: the student does not fit its teacher.
        """
        settings, folder, watch, progress = self.settings, session.folder, session.watch, session.progress
        loaded = load_encoder_folder(settings.teacher, progress=progress)
        limit = loaded.tokenizer.checked_limit(settings.max_tokens)
        device = device_to_train_on(settings.device, session.numerics)
        student = make_student(loaded, settings.shape, seed=settings.seed)
        student.encoder.to(device)
        how = find_arithmetic(
            language_trainee(student.encoder),
            precision=settings.precision,
            engine=settings.engine,
            numerics=session.numerics,
            progress=progress,
        )
        session.claim(self._record(loaded, how.numerics))
        watch.lap("load")
        for line in _sizes(loaded, student, settings):
            progress.say(line)
        store = session.team_in_turn(
            lambda: make_store(self.stream, loaded.tokenizer, folder.texts, max_tokens=limit, progress=progress)
        )
        reading = Reading(
            vocabulary=masking_vocabulary(loaded.tokenizer),
            share=settings.masked_share,
            whole_words=settings.whole_words,
            use_bf16=how.use_bf16,
        )
        material = split_rows(store, reading)
        progress.say(_spoken_store(store))
        watch.lap("tokenize")
        teacher = _teacher(loaded, material, replace(settings, device=cast("Device", device.type)), how, session)
        if teacher is not None:
            teacher.eval().requires_grad_(False)
        watch.lap("teacher_head")
        model = _model(student, teacher, settings, how.native).to(device)
        triple = None
        if settings.objective == "triple" and teacher is not None:
            triple = Triple(teacher=teacher, weights=settings.weights, temperature=settings.temperature)
        losses = LanguageLosses(model, store, material.train, reading, triple)
        judge = language_judge_of(model, material, seed=settings.seed)
        sides = {"before": _judged(judge, session)}
        if teacher is not None:
            sides["teacher"] = _judged(language_judge_of(teacher, material, seed=settings.seed), session)
        steps = settings.steps
        if steps is None:
            steps = -(-len(material.train) // settings.batch_rows)
        if settings.budget_minutes is not None:
            minutes = settings.budget_minutes
            steps = session.team_told(lambda: steps_within(minutes, model, losses, folder, settings, progress=progress))
        watch.lap("before")

        def finish(result: LoopResult, stages: Mapping[str, Any]) -> PretrainedRun:
            """Write the encoder, and what is known of it."""
            if not session.team.is_first:
                return PretrainedRun(folder=folder, metrics={})
            _write_encoder(model, loaded, folder)
            watch.lap("save")
            metrics = {
                "method": self.name,
                "objective": settings.objective,
                **_figures(result, store, folder),
                **{name: _spoken(line) for name, line in sides.items() if name != "teacher"},
                "student": _size(student),
                "teacher": _size(loaded) | (_spoken(sides["teacher"]) if "teacher" in sides else {}),
                "seconds": watch.seconds,
            }
            storage.write_text(folder.settings, to_toml(stages))
            storage.write_json(folder.metrics, metrics)
            with storage.explained(folder.checkpoints, doing="remove"):
                shutil.rmtree(folder.checkpoints)
            return PretrainedRun(folder=folder, metrics=metrics)

        plan = _plan(settings, steps, student)
        return Job(module=model, losses=losses, judge=judge, plan=plan, stages=self.stages(), finish=finish)

    def reopen(self, folder: RunFolder, metrics: Mapping[str, Any]) -> PretrainedRun:
        """Return the run that a folder holds."""
        return PretrainedRun(folder=folder, metrics=metrics)

    def _record(self, loaded: LoadedEncoder, numerics: str) -> dict[str, Any]:
        return {
            "settings": {self.name: to_plain(self.settings)},
            "data": self.data(),
            "encoder": {
                "name": loaded.name,
                "weights": loaded.fingerprint,
                "tokenizer": loaded.tokenizer.fingerprint,
                "numerics": numerics,
            },
            "versions": library_versions(),
        }


def _teacher(
    loaded: LoadedEncoder, material: Material, settings: PretrainingSettings, how: Arithmetic, session: Session
) -> LanguageModel | None:
    """Return the teacher with its language head, trained now where it has none; None where nobody needs it."""
    if settings.objective == "mlm" and (settings.start == "nothing" or settings.width is not None):
        return None
    head = load_language_head(find_encoder(settings.teacher).folder, loaded.config)
    device = choose_device(settings.device)
    encoder = copy.deepcopy(loaded.encoder).to(device)
    native = native_beside(how, language_trainee(encoder), settings.engine)
    teacher = LanguageModel(encoder, head or _new_head(loaded, settings), native=native).to(device)
    if head is None:
        train_head_first(teacher, material, settings, session)
    return teacher


def _write_encoder(model: LanguageModel, loaded: LoadedEncoder, folder: RunFolder) -> None:
    model.eval().requires_grad_(False).cpu()
    if folder.encoder.exists():
        with storage.explained(folder.encoder, doing="replace"):
            shutil.rmtree(folder.encoder)
    with storage.staged_folder(folder.encoder) as staged:
        write_language_model(model.encoder, model.head, loaded.tokenizer, staged)


def _sizes(teacher: LoadedEncoder, student: LoadedEncoder, settings: PretrainingSettings) -> list[str]:
    large, small = (count_costs(one.config, tokens=settings.max_tokens) for one in (teacher, student))
    begins = f"layers {', '.join(map(str, taken_layers(teacher.config, settings.shape)))} of {teacher.name}"
    return [
        f"{teacher.name}: {teacher.config.n_layers} layers, {teacher.config.dim} wide, "
        f"{large.parameters / 1e6:.1f} M parameters",
        f"student: {begins if settings.start == 'teacher' else f'{student.config.n_layers} layers, drawn'}, "
        f"{student.config.dim} wide, {small.parameters / 1e6:.1f} M parameters; by counting, "
        f"{large.multiplications_per_token / small.multiplications_per_token:.2f} times as fast",
    ]


def _spoken_store(store: TokenStore) -> str:
    facts = store.facts
    left = f"; {facts.empty_texts:,} without a token are left out" if facts.empty_texts else ""
    return f"{facts.texts:,} texts, {len(store):,} rows of up to {facts.max_tokens} tokens, " + (
        f"{int(store.lengths.sum()):,} tokens{left}"
    )


def _new_head(loaded: LoadedEncoder, settings: PretrainingSettings) -> LanguageHead:
    torch.manual_seed(settings.seed)
    return LanguageHead(loaded.config)


def _model(
    student: LoadedEncoder, teacher: LanguageModel | None, settings: PretrainingSettings, native: NativeStep | None
) -> LanguageModel:
    """Give the student its teacher's head where it fits, else a newly drawn one."""
    fits = teacher is not None and settings.start == "teacher" and student.config.dim == teacher.encoder.config.dim
    head = copy.deepcopy(teacher.head) if fits and teacher is not None else _new_head(student, settings)
    width = None
    if settings.objective == "triple" and settings.cosine_weight and teacher is not None:
        width = teacher.encoder.config.dim
    torch.manual_seed(settings.seed)
    model = LanguageModel(student.encoder, head, native=native, teacher_width=width)
    model.requires_grad_(True)
    model.encoder.embeddings.position_embeddings.weight.requires_grad_(not student.config.sinusoidal_pos_embds)
    return model


def _plan(settings: PretrainingSettings, steps: int, student: LoadedEncoder) -> Plan:
    """Cut the steps into stretches; the last steps of all add up to a little more than was asked for."""
    stretches = min(settings.epochs, steps)
    return Plan(
        settings=replace(settings, epochs=stretches),
        learning_rate=settings.learning_rate,
        token_budget=settings.token_budget,
        n_layers=student.config.n_layers,
        stretch_rows=-(-steps // stretches) * settings.batch_rows,
    )


def _judged(judge: LanguageJudge, session: Session) -> Perplexity:
    def check() -> None:
        if session.team.any(session.stop.is_set):
            raise session.stop.error(
                "interrupted; nothing is half written. Run the same command with --resume to go on"
            )

    return judge.judge(0, 0.0, check=check, progress=session.progress)


def _spoken(line: Perplexity) -> dict[str, float]:
    return {"loss": line.validation_loss, "perplexity": line.perplexity, "guessed": line.accuracy}


def _size(loaded: LoadedEncoder) -> dict[str, Any]:
    config = loaded.config
    parameters = sum(weight.numel() for weight in loaded.encoder.parameters())
    return {"layers": config.n_layers, "width": config.dim, "vocabulary": config.vocab_size, "parameters": parameters}


def _figures(result: LoopResult, store: TokenStore, folder: RunFolder) -> dict[str, Any]:
    lines = [json.loads(line) for line in folder.journal.read_text("utf-8").splitlines()]
    tokens = sum(line["tokens"] for line in lines if line["what"] == "step")
    best = next(line for line in result.epochs if line.epoch == result.best_epoch)
    return {
        "validation": _spoken(best) if isinstance(best, Perplexity) else {},
        "texts": store.facts.texts,
        "empty_texts": store.facts.empty_texts,
        "epochs": [asdict(line) for line in result.epochs],
        "best_epoch": result.best_epoch,
        "steps": result.steps,
        "resumed_at_step": result.resumed_at,
        "learning_rate": result.learning_rate,
        "tokens": tokens,
        "tokens_per_s": round(tokens / result.train_s) if result.train_s else None,
        "train_seconds": result.train_s,
    }
