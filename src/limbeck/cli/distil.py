"""`limbeck distil`: a smaller model that answers as a larger one does."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from limbeck.cli import evaluation_screen, options, screen
from limbeck.cli import training_options as own
from limbeck.cli.figures_screen import show_seeds
from limbeck.cli.settings_options import Flags, From, takes
from limbeck.errors import SettingsError
from limbeck.methods.distil_settings import DistillationSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from limbeck.experiments.ablation import Ablation

STUDENT = (From(kind=DistillationSettings), options.READING)


@takes(*STUDENT)
@own.in_team()
def distil(
    teacher: Annotated[Path, typer.Argument(metavar="TEACHER", help="Run folder of `limbeck train`, or a bundle.")],
    data: options.Data,
    out: options.RunOut,
    flags: Flags,
    ensemble: Annotated[
        list[Path] | None,
        typer.Option(help="A further teacher, whose probabilities are averaged with TEACHER's; may be repeated."),
    ] = None,
    unlabelled: Annotated[
        Path | None,
        typer.Option(help="File or folder of further texts, without labels; the student learns the teacher's answers."),
    ] = None,
    ablation: Annotated[
        bool,
        typer.Option(
            "--ablation", help="Also train the student without the teacher and without each part, with 3 seeds."
        ),
    ] = False,
    config: Annotated[Path | None, options.config(options.TABLES["distil"])] = None,
    cache_dir: options.CacheFolder = None,
    overwrite: own.OverwriteRun = False,
    resume: own.Resume = False,
    accept_engine: own.AcceptEngine = False,
    elastic: own.Elastic = False,
    as_json: options.AsJson = False,
) -> None:
    """Train a smaller model on DATA to answer as TEACHER does, and say what was kept and how much faster it is.

    The validation split is only scored, and made of training rows where there is none; a test split is not looked at.
    """
    from limbeck.experiments.ablation import ablate
    from limbeck.features.cache import FeatureCache
    from limbeck.methods import distil as distillation
    from limbeck.reading.read import read_with
    from limbeck.runtime import is_follower, is_one_of_many

    tables = own.tables_asked(config, out, resume=resume or elastic, used=options.TABLES["distil"])
    settings = own.settings_of("distil", flags, tables, STUDENT)
    start = own.start_of(overwrite=overwrite, resume=resume, accept_engine=accept_engine, elastic=elastic)
    following = screen.following()
    teachers = (teacher, *(ensemble or []))
    dataset = read_with(data, settings.read, following)
    more: tuple[str, ...] = ()
    if unlabelled is not None:
        found = read_with(unlabelled, replace(settings.read, labels="ignored"), following)
        screen.tell_notes(found.notes, following)
        more = tuple(found.texts)
    curriculum = distillation.Curriculum(teachers=teachers, dataset=dataset, unlabelled=more)
    cache = FeatureCache(cache_dir)
    if ablation and is_one_of_many():
        raise SettingsError("an ablation runs in one process: run limbeck without torchrun")
    if ablation:
        dataset.task.require(("single",), doing="--ablation")
        ablated = ablate(curriculum, out, settings, cache=cache, start=start, progress=following)
        if as_json:
            screen.show_json({**ablated.metrics, "ablation": ablated.ablation.to_dict()})
            return
        _show_comparison(ablated.metrics)
        _show_ablation(ablated.ablation)
        screen.show_line(f"Results are in {ablated.folder.path}; the table is {ablated.folder.ablation_table}")
        return
    run = distillation.distil(curriculum, out, settings, cache=cache, start=start, progress=following)
    if is_follower():
        return
    from limbeck.reporting.run_pictures import draw_pictures

    pictures = draw_pictures(run, following)
    if as_json:
        screen.show_json(run.metrics)
        return
    evaluation_screen.show_epochs(run.metrics["epochs"], best_epoch=run.metrics["best_epoch"])
    if "spread" in run.metrics:
        show_seeds(run.metrics)
    evaluation_screen.show_evaluation(run.validation, title=f"The student on the validation split of {data}")
    _show_comparison(run.metrics)
    screen.show_warnings(run.metrics)
    screen.show_run_places(run.folder, pictures)
    how = options.reading_words(flags)
    screen.show_scoring_next(out, data, how, splits=run.dataset.split_names)


_CLASSES = {"accuracy": "accuracy", "f1_weighted": "F1 weighted"}
_SETS = {"f1_micro": "F1 micro", "f1_macro": "F1 macro"}
"""Figures that are shown of one label per row, and of any number."""


def _show_comparison(metrics: "Mapping[str, Any]") -> None:
    """Show teacher and student side by side."""
    figures = _SETS if "f1_micro" in metrics["student"]["validation"] else _CLASSES
    sides = {"teacher": metrics["teacher"], "student": metrics["student"]}
    speed = metrics["speed"]
    texts_per_s = {"teacher": speed["slow_texts_per_s"], "student": speed["fast_texts_per_s"]}
    engines = {"teacher": " and ".join(sorted(set(speed["slow_engines"]))), "student": speed["fast_engine"]}
    screen.show_table(
        "Teacher and student, on the validation split",
        ["", "layers", "vocabulary", "parameters", *figures.values(), "texts/s", "computed by"],
        [
            [
                title,
                f"{side['layers']}",
                f"{side['vocabulary']:,}",
                f"{side['parameters'] / 1e6:.1f} M",
                *(f"{side['validation'][name]:.4f}" for name in figures),
                f"{texts_per_s[title]:,.0f}",
                engines[title],
            ]
            for title, side in sides.items()
        ],
    )
    if "accuracy_kept" in metrics:
        kept = metrics["accuracy_kept_interval"]
        said = (
            f"{metrics['accuracy_kept']:.1%} of the teacher's accuracy (95 % interval {kept['low']:.1%} to "
            f"{kept['high']:.1%}, {kept['rows']:,} rows)"
        )
    else:
        said = f"{metrics['f1_macro_kept']:.1%} of the teacher's macro F1"
    fewer = 1 - metrics["student"]["parameters"] / metrics["teacher"]["parameters"]
    screen.show_line(
        f"The student keeps {said} with {fewer:.0%} fewer parameters, and is "
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
