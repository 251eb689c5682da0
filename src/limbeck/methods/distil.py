"""Distillation from end to end: a fine-tuned teacher and texts in, a run folder with a smaller model out.

The student begins with layers of its teacher, and learns by the same loop as a fine-tuning from what the teacher says,
which is computed once, and from the labels where there are any.

In: folders of teachers and a `Dataset`. Out: a `LoopRun`. It does not read files of data, and never looks at the test
split.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from limbeck.data.dataset import Dataset
from limbeck.errors import DataError, SettingsError
from limbeck.features.cache import FeatureCache, fingerprint_texts
from limbeck.inference.answers import as_model_labels
from limbeck.inference.predictor import open_bundle
from limbeck.methods.distil_comparison import compare_with_teachers, figures_of, told_sizes
from limbeck.methods.distil_losses import DistilledModule, DistilLosses, Lesson
from limbeck.methods.distil_settings import Distillation, DistillationSettings, check_distillation
from limbeck.methods.new_heads import hugging_face_head
from limbeck.methods.recipe import ClassifierRecipe
from limbeck.methods.teachers import (
    Teacher,
    TeacherAnswers,
    ask_teachers,
    load_teachers,
    made_of_other_rows,
    split_of_model,
)
from limbeck.model.blocks import blocks_for
from limbeck.model.bundle import Bundle
from limbeck.model.heads import ClassificationHead
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.model.network import Network
from limbeck.model.student import make_student
from limbeck.model.weights import fingerprint_of
from limbeck.progress import SILENT, Progress, ProgressLike, as_progress
from limbeck.runs.run_folder import RunFolder
from limbeck.runs.run_record import make_record
from limbeck.runs.training_rows import TrainingRows, training_rows
from limbeck.settings import SplitSettings
from limbeck.tokens import Tokenized
from limbeck.tokens.pruning import prune_vocabulary
from limbeck.training.arithmetic import classifier_trainee, device_to_train_on, find_arithmetic
from limbeck.training.examples import Labelled, TextExamples
from limbeck.training.freezing import freeze, set_dropout
from limbeck.training.job import train
from limbeck.training.judge import judge_of
from limbeck.training.optim import default_learning_rate
from limbeck.training.outcome import (
    LoopRun,
    Outcome,
    finish_run,
    labelled,
    make_facts,
    reopened,
    require_same_rows,
)
from limbeck.training.plan import Job, LoopResult, Plan, fixed_rate
from limbeck.training.session import Session, Start


@dataclass(frozen=True, kw_only=True, eq=False)
class Curriculum:
    """Who teaches, and on what.

    Attributes:
        teachers: run folders or bundles of fine-tuned models; several are an ensemble, its probabilities averaged.
        dataset: labelled rows with a train split; validation rows are taken from it where there is no such split,
            as they were for the first teacher.
        unlabelled: further texts, for which the teacher's answer is all there is.
    """

    teachers: Sequence[str | Path]
    dataset: Dataset
    unlabelled: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class _Material:
    """The rows of a distillation.

    Attributes:
        rows: with labels, to learn from and to be judged by.
        unlabelled: texts that only the teacher says something about.
    """

    rows: TrainingRows
    unlabelled: tuple[str, ...]

    @property
    def texts(self) -> list[str]:
        """Every text that is learnt from, those with labels first."""
        return [*self.rows.train.texts, *self.unlabelled]


def distil(
    curriculum: Curriculum,
    out: str | Path,
    settings: Distillation = Distillation(),
    *,
    cache: FeatureCache | None = None,
    start: Start = "new",
    progress: ProgressLike = SILENT,
) -> LoopRun:
    """Train a smaller model to answer as a larger one does.

    Args:
        curriculum: who teaches, and on what.
        out: the run folder.
        settings: of every stage.
        cache: where what the teachers say is kept; the user's cache folder when not given.
        start: what to do with a run that is in `out`.
        progress: is told what is being done.

    Raises:
        BundleError: a teacher is not there or was changed.
        DataError: no train split, a row without a label, classes that the teacher does not know.
        SettingsError: `out` holds another run, or the student does not fit the teacher.
        TrainingError: the loss is not finite.
        Interrupted: a signal came; a checkpoint is saved.

    Example:
        >>> teacher = limbeck.train(data, "TEACHER", method="finetune", epochs=1)
        >>> settings = Distillation(distil=DistillationSettings(layers=1, epochs=1))
        >>> run = distil(Curriculum(teachers=["TEACHER"], dataset=data), "STUDENT", settings)
        >>> run.metrics["student"]["layers"], run.metrics["speedup"] > 0
        (1, True)
    """
    progress = as_progress(progress)
    return train(recipe_of(settings, curriculum, cache or FeatureCache()), out, start, progress=progress)


@dataclass(frozen=True, kw_only=True)
class DistilRecipe(ClassifierRecipe[Distillation]):
    """Distilling from teachers, as `training.job.train` asks for it; its rows are those of the curriculum."""

    tasks = ("single", "multi")

    curriculum: Curriculum
    cache: FeatureCache

    @property
    def loop(self) -> DistillationSettings:
        """The settings of the loop."""
        return self.settings.distil

    def data(self) -> dict[str, Any]:
        """Say what it is trained on."""
        return {**super().data(), "unlabelled": _unlabelled_record(self.curriculum.unlabelled)}

    def check(self) -> None:
        """Refuse settings that no distillation can use.

        Raises:
            SettingsError: gathers every fault.
        """
        self.dataset.task.require(self.tasks, doing="limbeck distil")
        check_distillation(self.loop)

    def usual_rate(self, progress: Progress = SILENT) -> float:
        """Return the learning rate that suits a student as wide as the settings say."""
        width = self.loop.width or open_bundle(Path(self.curriculum.teachers[0])).loaded.config.dim
        return default_learning_rate(width)

    def prepare(self, session: Session) -> Job[LoopRun]:
        """Make the student, and ask the teachers.

        Raises:
            BundleError: a teacher is not there or was changed.
            DataError: no train split, a row without a label, classes that the teacher does not know.
            SettingsError: the student does not fit the teacher.
        """
        own, progress, watch = self.loop, session.progress, session.watch
        folders = [Path(teacher) for teacher in self.curriculum.teachers]
        teachers = load_teachers(folders, device=own.device, progress=progress)
        first = teachers[0].bundle
        _require_comparable(teachers, own)
        split = split_of_model(first.facts, self.settings.split)
        data = _material(self.curriculum, split, teachers[0], progress)
        limit = min(first.loaded.tokenizer.checked_limit(own.max_tokens), first.facts.max_tokens)
        window = replace(first.window, max_tokens=limit)
        student = _student(first.loaded, data.texts, own, progress)
        rate = default_learning_rate(student.config.dim) if own.learning_rate is None else own.learning_rate
        settings = replace(own, learning_rate=rate)
        stages = replace(self.settings, split=split, distil=settings).stages()
        device = device_to_train_on(own.device, session.numerics)
        network = _student_network(student, teachers[0], settings).to(device)
        how = find_arithmetic(
            classifier_trainee(network),
            precision=own.precision,
            engine=own.engine,
            numerics=session.numerics,
            progress=progress,
        )
        record = session.claim(_record(data, stages, student, teachers, how.numerics))
        require_same_rows(data.rows, session.team)
        strangers = made_of_other_rows(teachers, record["data"]["fingerprint"])
        for name in strangers:
            progress.say(
                f"{name} was made of other rows than these, or of another split of them: if it learned from validation "
                "rows, the figures flatter it and the student"
            )
        watch.lap("load")
        train, validation = (
            student.tokenizer.read(texts, window, progress=progress).rows
            for texts in (data.texts, data.rows.validation.texts)
        )
        watch.lap("tokenize")
        for line in told_sizes(teachers, student, settings, float(train.lengths.mean())):
            progress.say(line)
        answers = ask_teachers(
            teachers, data.texts, temperature=own.temperature, max_tokens=limit, cache=self.cache, progress=progress
        )
        watch.lap("teacher")
        torch.manual_seed(own.seed)
        module = DistilledModule(network, first.loaded.config.dim if own.hidden_weight > 0 else None).to(device)
        to_learn, to_judge = (
            TextExamples(network, texts, facts, use_bf16=how.use_bf16, native=how.native)
            for texts, facts in (
                (train, _rows(data, train)),
                (validation, labelled(data.rows.validation, validation.lengths, data.rows.hierarchy)),
            )
        )

        def finish(result: LoopResult, stages: Mapping[str, Any]) -> LoopRun:
            """Compare the student with its teachers."""
            network.eval().requires_grad_(False).cpu()
            bundle = Bundle(
                loaded=replace(student, fingerprint=fingerprint_of(network.encoder)),
                head=network.head,
                facts=make_facts(network.head, network.blocks, data.rows, record, window),
            )
            compared = compare_with_teachers(teachers, bundle, data.rows.validation, settings, session)
            watch.lap("compare")
            outcome = Outcome(
                method=self.name,
                rows=data.rows,
                bundle=bundle,
                answers=compared.student,
                texts_cut={"train": int(train.truncated.sum()), "validation": int(validation.truncated.sum())},
                more=partial(figures_of, teachers, bundle, compared, strangers),
            )
            return finish_run(outcome, result, stages, session)

        return Job(
            module=module,
            losses=DistilLosses(module, to_learn, _lesson(data, train, answers, settings), settings),
            judge=judge_of(self.dataset.task)(
                module, to_judge, settings, len(data.rows.label_names), team=session.team
            ),
            plan=Plan(
                settings=settings,
                learning_rate=fixed_rate(settings),
                token_budget=own.token_budget,
                layer_decay=own.layer_decay,
                n_layers=student.config.n_layers,
            ),
            stages=stages,
            finish=finish,
        )

    def reopen(self, folder: RunFolder, metrics: Mapping[str, Any]) -> LoopRun:
        """Return the run that a folder holds."""
        facts = open_bundle(folder.bundle).facts
        dataset = as_model_labels(facts, self.dataset)
        return reopened(folder, metrics, dataset, split_of_model(facts, self.settings.split))


def recipe_of(settings: Distillation, curriculum: Curriculum, cache: FeatureCache) -> DistilRecipe:
    """Return the recipe of a distillation."""
    return DistilRecipe(settings=settings, dataset=curriculum.dataset, curriculum=curriculum, cache=cache)


def _require_comparable(teachers: Sequence[Teacher], settings: DistillationSettings) -> None:
    if whole := [str(one.folder) for one in teachers if one.bundle.window.name == "all"]:
        raise SettingsError(
            f"{whole[0]} reads all of a long text, in windows, and a student reads one window of it: learn from a "
            "teacher that was trained with --window head, tail or both"
        )
    if settings.hidden_weight > 0 and (len(teachers) > 1 or not teachers[0].sees_cls):
        raise SettingsError(
            f"hidden_weight = {settings.hidden_weight} compares the [CLS] states of a student and one teacher whose "
            "head sees them, as fine-tuning leaves it; leave --hidden-weight out"
        )


def _material(curriculum: Curriculum, split: SplitSettings, teacher: Teacher, progress: Progress) -> _Material:
    """Match the labels to the teacher's; leave texts out that the student is judged by."""
    if curriculum.dataset.task != (task := teacher.bundle.task):
        raise DataError(
            f"{curriculum.dataset.source} has {curriculum.dataset.task.words}, but the teacher answers with "
            f"{task.words}: read the rows with --task {task.name}"
        )
    facts = teacher.bundle.facts
    dataset = as_model_labels(facts, curriculum.dataset)
    facts.as_read(dataset.texts[:1])
    rows = training_rows(dataset, split, progress)
    judged = set(rows.validation.texts)
    kept = tuple(text for text in facts.as_read(curriculum.unlabelled) if text not in judged)
    if left := len(curriculum.unlabelled) - len(kept):
        progress.say(f"{left:,} unlabelled texts are validation texts too, letter by letter: they are left out")
    return _Material(rows=rows, unlabelled=kept)


def _record(
    data: _Material, stages: Mapping[str, Any], student: LoadedEncoder, teachers: Sequence[Teacher], numerics: str
) -> dict[str, Any]:
    record = make_record(data.rows.dataset, stages, student, numerics)
    record["encoder"]["teachers"] = [{"name": str(teacher.folder), "weights": teacher.digest} for teacher in teachers]
    record["data"]["unlabelled"] = _unlabelled_record(data.unlabelled)
    return record


def _unlabelled_record(texts: Sequence[str]) -> dict[str, Any]:
    return {"rows": len(texts), "fingerprint": fingerprint_texts(texts)}


def _student(
    teacher: LoadedEncoder, texts: Sequence[str], settings: DistillationSettings, progress: Progress
) -> LoadedEncoder:
    pruned = None
    if settings.prune_vocabulary:
        pruned = prune_vocabulary(teacher.tokenizer, texts, min_uses=settings.min_token_uses, progress=progress)
        if pruned.respelt:
            progress.say(
                f"{pruned.respelt:.2%} of the training texts' tokens are used fewer than {settings.min_token_uses} "
                "times: they are spelt in smaller pieces"
            )
    return make_student(teacher, settings.shape, pruned=pruned, seed=settings.seed)


def _student_network(student: LoadedEncoder, teacher: Teacher, settings: DistillationSettings) -> Network:
    """Put the teacher's head on the student where it fits, else a newly drawn one; mark what is trained."""
    torch.manual_seed(settings.seed)
    n_labels = len(teacher.bundle.facts.label_names)
    head = teacher.bundle.head
    fits = (
        settings.start == "teacher" and isinstance(head, ClassificationHead) and head.n_features == student.config.dim
    )
    network = Network(
        encoder=student.encoder,
        blocks=blocks_for("cls", None, student.config.n_layers),
        head=copy.deepcopy(head).cpu() if fits else hugging_face_head(student.config, n_labels),
    )
    network.head.requires_grad_(True)
    freeze(network.encoder, settings)
    if settings.dropout is not None:
        set_dropout(network.encoder, settings.dropout)
    return network


def _rows(data: _Material, tokenized: Tokenized) -> Labelled:
    """Name the rows that are learnt from; those without a label count from 1 as "unlabelled:n" and say 0."""
    unnamed = [f"unlabelled:{number + 1}" for number in range(len(data.unlabelled))]
    known = data.rows.train.targets
    return Labelled(
        labels_N=np.concatenate([known, np.zeros((len(unnamed), *known.shape[1:]), known.dtype)]),
        tokens_N=tokenized.lengths,
        row_ids=[*data.rows.train.row_ids, *unnamed],
    )


def _lesson(data: _Material, tokenized: Tokenized, answers: TeacherAnswers, settings: DistillationSettings) -> Lesson:
    rows = _rows(data, tokenized)
    return Lesson(
        rows=rows,
        labels_N=rows.labels_N,
        is_labelled_N=np.arange(len(rows)) < len(data.rows.train),
        softened_NC=answers.softened_NC,
        features_NF=torch.from_numpy(answers.features_NF) if settings.hidden_weight > 0 else None,
    )
