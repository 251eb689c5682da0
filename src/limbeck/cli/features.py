"""`limbeck features`: texts to vectors, in a file."""

from pathlib import Path
from typing import Annotated

import typer

from limbeck.cli import options, screen
from limbeck.cli.settings_options import Flags, From, takes
from limbeck.settings import FeatureSettings, ReadSettings

FEATURE_OPTIONS = From(kind=FeatureSettings, without=("precision",))


@takes(FEATURE_OPTIONS, options.READING)
def features(
    data: options.Data,
    out: Annotated[Path, options.out("File to write: .npy (one array), or .parquet (row ids, labels, features).")],
    flags: Flags,
    split: Annotated[str | None, typer.Option(help="Split to take. [default: all rows]")] = None,
    cache_dir: options.CacheFolder = None,
    overwrite: options.Overwrite = False,
    as_json: options.AsJson = False,
) -> None:
    """Write the pooled hidden states of every text of DATA, in the order of its rows; labels are not needed."""
    from limbeck.features.cache import FeatureCache
    from limbeck.features.extraction import extract_features
    from limbeck.features.files import FEATURE_SUFFIXES, write_features
    from limbeck.features.text_encoder import load_encoder
    from limbeck.model.blocks import blocks_for
    from limbeck.reading.read import read_with
    from limbeck.storage import check_place
    from limbeck.tokens.windows import fixed_window

    check_place(out, FEATURE_SUFFIXES, source=data, overwrite=overwrite)
    settings = flags.build(FeatureSettings, where="features")
    name = fixed_window(settings, doing="limbeck features")
    reading = flags.build(ReadSettings, {"labels": "optional"})
    following = screen.following()
    dataset = read_with(data, reading, following)
    screen.tell_notes(dataset.notes, following)
    if split is not None:
        dataset = dataset.split(split)
    engine = load_encoder(settings.encoder, device=settings.device, engine=settings.engine, progress=following).engine
    blocks = blocks_for(settings.pooling, settings.layer, engine.layers)
    window = engine.loaded.tokenizer.window(name, settings.max_tokens)
    found = extract_features(
        dataset.texts, engine, blocks, window=window, cache=FeatureCache(cache_dir), progress=following
    )
    write_features(found, dataset, out)
    rows, width = found.values_NF.shape
    cut = int((found.cut_tokens_N > 0).sum())
    if as_json:
        facts = {"out": str(out), "rows": rows, "columns": width, "computed": found.computed, "texts_cut": cut}
        screen.show_json({**facts, "blocks": [str(block) for block in blocks]})
        return
    screen.show_line(
        f"{out}: {rows:,} rows × {width:,} columns ({found.computed:,} texts encoded now, the rest cached)"
    )
    screen.show_line(f"{cut:,} of {rows:,} texts were longer than the limit and were cut")
