"""`limbeck features`: texts to vectors, in a file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from limbeck.cli import options, screen
from limbeck.cli.help_screen import FOLDER_OF_PARTS
from limbeck.cli.parts_options import IN_PARTS, fill_parts, means_parts, parts_request, require_none_given
from limbeck.cli.settings_options import Flags, From, option_names, takes
from limbeck.scale.work import Vectors, VectorType
from limbeck.settings import FeatureSettings, ReadSettings

if TYPE_CHECKING:
    from limbeck.scale.parts_request import PartsRequest

FEATURE_OPTIONS = From(kind=FeatureSettings, without=("precision",))


@takes(FEATURE_OPTIONS, options.READING, IN_PARTS)
def features(
    data: options.Data,
    out: Annotated[
        Path,
        options.out(
            "File to write: .npy (one array), or .parquet (row ids, labels, features). A name without a suffix is a "
            "folder of parts, for more rows than memory holds: DATA is a file, a folder of files or a pattern such as "
            "'texts/*.parquet', also of s3://, gs:// or hdfs://, and the same command goes on where it stopped."
        ),
    ],
    flags: Flags,
    split: Annotated[str | None, typer.Option(help="Split to take. [default: all rows]")] = None,
    vector_type: Annotated[
        VectorType | None,
        typer.Option(
            help="Type of the numbers in a folder of parts; float16 rounds them and takes half of the room. "
            "[default: float32]",
            rich_help_panel=FOLDER_OF_PARTS,
        ),
    ] = None,
    cache_dir: options.CacheFolder = None,
    overwrite: options.Overwrite = False,
    as_json: options.AsJson = False,
) -> None:
    """Write the pooled hidden states of every text of DATA, in the order of its rows; labels are not needed."""
    from limbeck.errors import SettingsError
    from limbeck.features.cache import FeatureCache
    from limbeck.features.extraction import extract_features
    from limbeck.features.files import FEATURE_SUFFIXES, write_features
    from limbeck.features.text_encoder import load_encoder
    from limbeck.model.blocks import blocks_for
    from limbeck.reading.read import read_with
    from limbeck.storage import check_place
    from limbeck.tokens.windows import fixed_window

    if means_parts(data, out, flags, overwrite=overwrite, option="--out"):
        require_none_given({"--split": split}, "every row gets a vector")
        require_none_given({"--cache-dir": cache_dir}, "the parts are kept, and nothing beside them")
        fill_parts(_vectors_request(data, out, flags, vector_type), as_json=as_json)
        return
    if vector_type is not None:
        raise SettingsError("--vector-type is about a folder of parts: give --out a name without a suffix")
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


def _vectors_request(data: str, out: Path, flags: Flags, vector_type: VectorType | None) -> "PartsRequest":
    """Return which vectors are to be made in a folder of parts."""
    from limbeck.tokens.windows import fixed_window

    texts = flags.of(options.READING_TEXTS)
    others = {option_names(name)[0]: value for name, value in flags.of(options.READING).items() if name not in texts}
    require_none_given(others, "it is about labels; the rows' own columns stand beside their vectors as they are")
    settings = flags.build(FeatureSettings, where="features")
    work = Vectors(
        pooling=settings.pooling,
        layer=settings.layer,
        max_tokens=settings.max_tokens,
        window=fixed_window(settings, doing="limbeck features"),
        vector_type=vector_type or "float32",
    )
    return parts_request(settings.encoder, data, out, flags, reading=options.READING_TEXTS, work=work)
