"""`limbeck tokens`: what an encoder's tokenizer makes of a text."""

import sys
from typing import Annotated

import typer

from limbeck.cli import options, screen
from limbeck.cli.settings_options import Flags, From, takes
from limbeck.settings import FeatureSettings


@takes(From(kind=FeatureSettings, only=("encoder", "max_tokens", "window")))
def tokens(
    texts: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXT...", help="Texts to cut into tokens; '-' alone: one text per line of standard input."
        ),
    ],
    flags: Flags,
    as_json: options.AsJson = False,
) -> None:
    """Show tokens, ids and attention mask of each TEXT, and the facts of the tokenizer."""
    from limbeck.catalog.presets import load_tokenizer
    from limbeck.tokens.windows import fixed_window

    if texts == ["-"]:
        texts = [line for line in sys.stdin.read().splitlines() if line.strip()]
    settings = flags.build(FeatureSettings, where="features")
    tokenizer = load_tokenizer(settings.encoder, progress=screen.following())
    window = tokenizer.window(fixed_window(settings, doing="limbeck tokens"), settings.max_tokens)
    read = tokenizer.read(texts, window)
    view = read.rows.take(range(len(read.rows))).padded(tokenizer.pad_id)
    text_R = [text for text, rows in zip(texts, read.rows_per_text, strict=True) for _ in range(rows)]
    facts = {
        "vocabulary_size": tokenizer.vocabulary_size,
        "model_max_length": tokenizer.max_tokens,
        "input_names": list(tokenizer.input_names),
        "special_tokens": tokenizer.special_ids,
    }
    found = [
        {
            "text": text,
            "tokens": tokenizer.tokens_of_ids(ids[mask > 0].tolist()),
            "input_ids": ids.tolist(),
            "attention_mask": mask.tolist(),
            "cut_tokens": int(cut),
        }
        for text, ids, mask, cut in zip(text_R, view.input_ids, view.attention_mask, read.rows.cut_tokens, strict=True)
    ]
    if as_json:
        screen.show_json({"texts": found, "tokenizer": facts})
        return
    for one in found:
        screen.show_line(f"text:   {one['text']}")
        screen.show_line(f"tokens: {' '.join(one['tokens'])}")
        screen.show_line(f"ids:    {one['input_ids']}")
        screen.show_line(f"mask:   {one['attention_mask']}")
        if one["cut_tokens"]:
            screen.show_line(f"cut:    {one['cut_tokens']:,} tokens did not fit the limit")
        screen.show_line()
    screen.show_line(f"vocabulary size       {facts['vocabulary_size']}")
    screen.show_line(f"model maximum length  {facts['model_max_length']} tokens")
    screen.show_line(f"input names           {', '.join(tokenizer.input_names)}")
    special = ", ".join(f"{name} {token_id}" for name, token_id in tokenizer.special_ids.items())
    screen.show_line(f"special tokens        {special}")
