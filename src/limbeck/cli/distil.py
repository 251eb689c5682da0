"""`limbeck distil`: a smaller model that answers as a larger one does."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from limbeck.cli import options, screen
from limbeck.cli import training_options as own
from limbeck.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from limbeck.experiments.ablation import Ablation

Take = Annotated[
    str | None,
    typer.Option(help="The teacher's layers that it begins with, from 0, as in 0,2,4. [default: spread evenly]"),
]
Start = Annotated[
    str | None,
    typer.Option("--start", help="'teacher': begin with its weights. 'nothing': draw them. [default: teacher]"),
]
Prune = Annotated[
    bool | None,
    typer.Option(
        "--prune-vocabulary",
        help="Keep only tokens that the training texts use, and single characters; these texts stay what they are.",
    ),
]
MinTokenUses = Annotated[
    int | None,
    typer.Option(
        help="With --prune-vocabulary: how often the training texts must use a token for it to be kept. Above 1, rarer "
        "words are spelt in smaller pieces. [default: 1]"
    ),
]
TeacherWeight = Annotated[
    float | None, typer.Option(help="How much the teacher counts against the labels, 0 to 1. [default: 0.9]")
]
Temperature = Annotated[float | None, typer.Option(help="At which both are compared. [default: 2]")]
HiddenWeight = Annotated[
    float | None, typer.Option(help="How much the angle between their [CLS] states counts. [default: 0]")
]


def distil(
    teacher: Annotated[Path, typer.Argument(metavar="TEACHER", help="Run folder of `limbeck train`, or a bundle.")],
    data: options.Data,
    out: Annotated[Path, typer.Option(help="Run folder to make.", show_default=False)],
    ensemble: Annotated[
        list[Path] | None,
        typer.Option(help="A further teacher; probabilities are averaged. May be given several times."),
    ] = None,
    layers: Annotated[int | None, typer.Option(help="Layers of the student. [default: as many as the teacher]")] = None,
    take: Take = None,
    width: Annotated[int | None, typer.Option(help="Of its hidden states. [default: the teacher's]")] = None,
    begin: Start = None,
    prune_vocabulary: Prune = None,
    min_token_uses: MinTokenUses = None,
    teacher_weight: TeacherWeight = None,
    temperature: Temperature = None,
    hidden_weight: HiddenWeight = None,
    unlabelled: Annotated[
        Path | None,
        typer.Option(help="File or folder of further texts; what the teacher says of them is learnt too."),
    ] = None,
    ablation: Annotated[
        bool,
        typer.Option("--ablation", help="Train it without the teacher and without each part too, over 3 seeds."),
    ] = False,
    max_tokens: Annotated[
        int | None, typer.Option(help="Cut longer texts to this many tokens. [default: the teacher's limit]")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Times every training row is seen. [default: 6]")] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Highest learning rate. [default: by the width, 2e-4 at 384, 5e-5 at 768]")
    ] = None,
    batch_size: own.BatchSize = None,
    schedule: own.LoopSchedule = None,
    warmup_share: own.LoopWarmupShare = None,
    weight_decay: own.LoopWeightDecay = None,
    label_smoothing: own.LabelSmoothing = None,
    best_by: own.BestBy = None,
    patience: own.Patience = None,
    dropout: own.Dropout = None,
    token_budget: own.LoopTokenBudget = None,
    precision: own.Precision = None,
    checkpoint_every_s: own.CheckpointEvery = None,
    keep_checkpoints: own.KeepCheckpoints = None,
    seed: options.Seed = None,
    config: options.DistilConfig = None,
    text_column: options.TextColumn = None,
    label_column: options.LabelColumn = None,
    label_names: options.LabelNames = None,
    encoding: options.Encoding = None,
    on_bad_row: options.OnBadRow = None,
    device: options.DeviceName = None,
    cache_dir: options.CacheFolder = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in --out.")] = False,
    resume: own.Resume = False,
    accept_engine: own.AcceptEngine = False,
    as_json: options.AsJson = False,
) -> None:
    """Train a smaller model on DATA to answer as TEACHER does, and say what was kept and how much faster it is.

    The validation split is only scored, and made of training rows where there is none; a test split is not looked at.
    """
    from limbeck import progress
    from limbeck.experiments.ablation_runs import ablate
    from limbeck.features.cache import FeatureCache
    from limbeck.methods import distil as distillation
    from limbeck.methods.distil_settings import Distillation, DistillationSettings
    from limbeck.reading.read import read_with
    from limbeck.settings import SplitSettings

    tables = own.tables_of(config, out, resume=resume, used=options.DISTIL_TABLES)
    flags = own.only_given(
        layers=layers,
        take=numbers_of(take),
        width=width,
        start=begin,
        prune_vocabulary=prune_vocabulary,
        min_token_uses=min_token_uses,
        teacher_weight=teacher_weight,
        temperature=temperature,
        hidden_weight=hidden_weight,
        max_tokens=max_tokens,
        epochs=epochs,
        learning_rate=learning_rate,
        batch_rows=batch_size,
        schedule=schedule,
        warmup_share=warmup_share,
        weight_decay=weight_decay,
        label_smoothing=label_smoothing,
        best_by=best_by,
        patience=patience,
        dropout=dropout,
        token_budget=token_budget,
        precision=precision,
        checkpoint_every_s=own.number_or_off(checkpoint_every_s, "--checkpoint-every-s"),
        keep_checkpoints=keep_checkpoints,
        seed=seed,
        device=device,
    )
    reading = options.read_settings(text_column, label_column, label_names, encoding, on_bad_row, tables)
    settings = Distillation(
        read=reading,
        split=options.stage(SplitSettings, "split", tables, {}),
        distil=options.stage(DistillationSettings, "distil", tables, flags),
    )
    start = own.start_of(overwrite=overwrite, resume=resume, accept_engine=accept_engine)
    following = progress.for_stream()
    teachers = (teacher, *(ensemble or []))
    dataset = read_with(data, reading, following)
    more: tuple[str, ...] = ()
    if unlabelled is not None:
        found = read_with(unlabelled, replace(reading, labels="ignored"), following)
        screen.tell_notes(found.notes, following)
        more = tuple(found.texts)
    curriculum = distillation.Curriculum(teachers=teachers, dataset=dataset, unlabelled=more)
    cache = FeatureCache(cache_dir)
    if ablation:
        ablated = ablate(curriculum, out, settings, cache=cache, start=start, progress=following)
        if as_json:
            screen.show_json({**ablated.metrics, "ablation": ablated.ablation.to_dict()})
            return
        _show_comparison(ablated.metrics)
        _show_ablation(ablated.ablation)
        screen.show_line(f"Results are in {ablated.folder.path}; the table is {ablated.folder.ablation_table}")
        return
    run = distillation.distil(curriculum, out, settings, cache=cache, start=start, progress=following)
    from limbeck.reporting.run_pictures import draw_pictures

    pictures = draw_pictures(run, following)
    if as_json:
        screen.show_json(run.metrics)
        return
    screen.show_epochs(run.metrics["epochs"], best_epoch=run.metrics["best_epoch"])
    screen.show_evaluation(run.validation, title=f"The student on the validation split of {data}")
    _show_comparison(run.metrics)
    screen.show_warnings(run.metrics)
    screen.show_run_places(run.folder, pictures)
    how = options.reading_flags(text_column, label_column, label_names, encoding, on_bad_row)
    screen.show_scoring_next(out, data, how, splits=run.dataset.split_names)


def numbers_of(take: str | None) -> tuple[int, ...] | None:
    """Split `--take 0,2,4`."""
    if take is None:
        return None
    try:
        return tuple(int(number) for number in take.split(","))
    except ValueError as error:
        raise SettingsError(f"--take {take}: give numbers of layers, separated by commas, as in 0,2,4") from error


def _show_comparison(metrics: "Mapping[str, Any]") -> None:
    """Show teacher and student side by side."""
    sides = {"teacher": metrics["teacher"], "student": metrics["student"]}
    speed = metrics["speed"]
    texts_per_s = {"teacher": speed["slow_texts_per_s"], "student": speed["fast_texts_per_s"]}
    engines = {"teacher": " and ".join(sorted(set(speed["slow_engines"]))), "student": speed["fast_engine"]}
    screen.show_table(
        "Teacher and student, on the validation split",
        ["", "layers", "vocabulary", "parameters", "accuracy", "F1 weighted", "texts/s", "computed by"],
        [
            [
                name,
                f"{side['layers']}",
                f"{side['vocabulary']:,}",
                f"{side['parameters'] / 1e6:.1f} M",
                f"{side['validation']['accuracy']:.4f}",
                f"{side['validation']['f1_weighted']:.4f}",
                f"{texts_per_s[name]:,.0f}",
                engines[name],
            ]
            for name, side in sides.items()
        ],
    )
    kept = metrics["accuracy_kept_interval"]
    fewer = 1 - metrics["student"]["parameters"] / metrics["teacher"]["parameters"]
    screen.show_line(
        f"The student keeps {metrics['accuracy_kept']:.1%} of the teacher's accuracy (95 % interval {kept['low']:.1%} "
        f"to {kept['high']:.1%}, {kept['rows']:,} rows) with {fewer:.0%} fewer parameters, and is "
        f"{metrics['speedup']:.2f} times as fast, text in and probabilities out "
        f"({speed['rounds']} rounds: {speed['lowest']:.2f} to {speed['highest']:.2f})"
    )


def _show_ablation(found: "Ablation") -> None:
    screen.show_table(
        f"The same student without each part; seeds {', '.join(map(str, found.seeds))}",
        ["", "accuracy", "of each seed", "of the teacher's", "the part gains", "p", ""],
        [
            [
                arm.name,
                f"{arm.mean:.4f}",
                " ".join(f"{value:.4f}" for value in arm.accuracies),
                f"{arm.kept:.1%}",
                "" if arm.gain is None else f"{arm.gain:+.4f}",
                "" if arm.p is None else f"{arm.p:.3f}",
                arm.verdict,
            ]
            for arm in found.arms
        ],
    )
    screen.show_line(
        f"{found.student_parameters / 1e6:.1f} M parameters against {found.teacher_parameters / 1e6:.1f} M, "
        f"{found.speedup:.2f} times as fast; {found.test}"
    )
