"""`limbeck pretrain`: an encoder from raw text, with a teacher or without."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from limbeck.cli import options, screen
from limbeck.cli import training_options as own
from limbeck.cli.distil import Start, Take, numbers_of

if TYPE_CHECKING:
    from collections.abc import Mapping


def pretrain(
    texts: Annotated[
        Path,
        typer.Argument(
            metavar="TEXTS", help="File of texts in any format that is read (.txt: one per line), or a folder."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Run folder to make.", show_default=False)],
    objective: Annotated[
        str | None,
        typer.Option(
            help="'triple': learn from the teacher's guesses, the masked tokens and its hidden states. "
            "'mlm': from masked tokens alone. [default: triple]"
        ),
    ] = None,
    teacher: Annotated[
        str | None,
        typer.Option(
            "--teacher", "--encoder", help="A preset or a folder: what the student is made of. [default: minilm]"
        ),
    ] = None,
    layers: Annotated[int | None, typer.Option(help="Layers of the student. [default: as many as the teacher]")] = None,
    take: Take = None,
    width: Annotated[int | None, typer.Option(help="Of its hidden states. [default: the teacher's]")] = None,
    begin: Start = None,
    steps: Annotated[int | None, typer.Option(help="Optimizer steps. [default: one pass over the texts]")] = None,
    budget_minutes: Annotated[
        float | None, typer.Option(help="Minutes to train; a few steps are measured to know how many these are.")
    ] = None,
    stretches: Annotated[
        int | None, typer.Option(help="Parts of the training, each judged at its end. [default: 10]")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Rows an optimizer step. [default: 32]")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Highest learning rate. [default: 5e-4]")] = None,
    schedule: own.LoopSchedule = None,
    warmup_share: own.LoopWarmupShare = None,
    max_tokens: Annotated[
        int | None, typer.Option(help="Tokens of a row; a longer text becomes several rows. [default: 256]")
    ] = None,
    masked_share: Annotated[float | None, typer.Option(help="Share of the tokens to guess. [default: 0.15]")] = None,
    whole_words: Annotated[bool | None, typer.Option("--whole-words", help="Mask words instead of tokens.")] = None,
    soft_weight: Annotated[float | None, typer.Option(help="Of the teacher's guesses. [default: 5]")] = None,
    masked_weight: Annotated[float | None, typer.Option(help="Of the masked tokens. [default: 2]")] = None,
    cosine_weight: Annotated[float | None, typer.Option(help="Of its hidden states. [default: 1]")] = None,
    temperature: Annotated[float | None, typer.Option(help="At which guesses are compared. [default: 2]")] = None,
    head_steps: Annotated[
        int | None,
        typer.Option(help="Steps that train the teacher's language head first, where it has none. [default: 300]"),
    ] = None,
    token_budget: own.LoopTokenBudget = None,
    precision: own.Precision = None,
    checkpoint_every_s: own.CheckpointEvery = None,
    keep_checkpoints: own.KeepCheckpoints = None,
    seed: options.Seed = None,
    config: options.PretrainConfig = None,
    text_column: options.TextColumn = None,
    encoding: options.Encoding = None,
    device: options.DeviceName = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in --out.")] = False,
    resume: own.Resume = False,
    accept_engine: own.AcceptEngine = False,
    as_json: options.AsJson = False,
) -> None:
    """Train an encoder on raw TEXTS: a smaller one that learns from a teacher, or one that learns the words of a field.

    RUN/encoder is what `--encoder` takes. Every 50th text is held out to judge by, up to 50,000 tokens.
    """
    from limbeck import progress
    from limbeck.methods import pretrain as pretraining
    from limbeck.methods.pretrain_settings import PretrainingSettings
    from limbeck.reading.text_stream import open_stream

    tables = own.tables_of(config, out, resume=resume, used=options.PRETRAIN_TABLES)
    flags = own.only_given(
        objective=objective,
        teacher=teacher,
        layers=layers,
        take=numbers_of(take),
        width=width,
        start=begin,
        steps=steps,
        budget_minutes=budget_minutes,
        epochs=stretches,
        batch_rows=batch_size,
        learning_rate=learning_rate,
        schedule=schedule,
        warmup_share=warmup_share,
        max_tokens=max_tokens,
        masked_share=masked_share,
        whole_words=whole_words,
        soft_weight=soft_weight,
        masked_weight=masked_weight,
        cosine_weight=cosine_weight,
        temperature=temperature,
        head_steps=head_steps,
        token_budget=token_budget,
        precision=precision,
        checkpoint_every_s=own.number_or_off(checkpoint_every_s, "--checkpoint-every-s"),
        keep_checkpoints=keep_checkpoints,
        seed=seed,
        device=device,
    )
    settings = options.stage(PretrainingSettings, "pretrain", tables, flags)
    start = own.start_of(overwrite=overwrite, resume=resume, accept_engine=accept_engine)
    stream = open_stream(texts, text_column=text_column, encoding=encoding or "utf-8")
    run = pretraining.pretrain(stream, out, settings, start=start, progress=progress.for_stream())
    if as_json:
        screen.show_json(run.metrics)
        return
    _show(run.metrics)
    screen.show_line(f"Results are in {run.folder.path}")
    screen.show_line(f"  figures      {run.folder.metrics}")
    screen.show_line(f"  encoder      {run.folder.encoder}")
    made = ("--encoder", run.folder.encoder, "--out", screen.free_place("RUN"))
    screen.show_next("train", "YOUR_DATA", "--method", "finetune", *made)


def _show(metrics: "Mapping[str, Any]") -> None:
    from limbeck.methods.language import Perplexity

    rows = [Perplexity(**line).cells() for line in metrics["epochs"]]
    for row in rows:
        row[0] += " (kept)" if row[0] == str(metrics["best_epoch"]) else ""
    screen.show_table("Stretches", ["Stretch", *Perplexity.head[1:]], rows)
    sides = {"before": metrics["before"], "after": metrics["validation"]}
    if "perplexity" in metrics["teacher"]:
        sides = {"teacher": metrics["teacher"], **sides}
    screen.show_table(
        "Masked tokens of texts that were held out",
        ["", "perplexity", "guessed"],
        [[name, f"{side['perplexity']:.2f}", f"{side['guessed']:.1%}"] for name, side in sides.items()],
    )
    student = metrics["student"]
    screen.show_line(
        f"{student['layers']} layers, {student['parameters'] / 1e6:.1f} M parameters; {metrics['tokens']:,} tokens in "
        f"{metrics['train_seconds']:,.0f} s, {metrics['tokens_per_s']:,} tokens/s"
    )
