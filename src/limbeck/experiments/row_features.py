"""Row features: what a run's model sees of some texts, for a map of them.

In: a finished run and texts. Out: features (N, F), those that its head stands on. Of a probe they lie in the cache; an
encoder that was trained computes them, and they are kept. It does not know labels or maps.
"""

from collections.abc import Sequence

import numpy as np

from limbeck.features.cache import FeatureCache
from limbeck.features.extraction import extract_features
from limbeck.inference.choice import open_engine
from limbeck.inference.engine import Engine
from limbeck.inference.usage import Usage
from limbeck.methods.candidates import all_blocks, candidates_for, columns_of
from limbeck.model.blocks import Block
from limbeck.model.bundle import Bundle, load_bundle
from limbeck.progress import SILENT, Progress
from limbeck.runs.run_folder import RunFolder
from limbeck.setting_tables import build, read_toml
from limbeck.settings import Device, FeatureSettings


def encode_rows(
    folder: RunFolder,
    texts: Sequence[str],
    rows_N: np.ndarray,
    *,
    device: Device = "auto",
    cache: FeatureCache | None = None,
    progress: Progress = SILENT,
) -> np.ndarray:
    """Return the features of some of the texts, float32 (rows, F).

    Args:
        folder: of the run.
        texts: all texts of a split.
        rows_N: which of them.
        device: that computes what is not in the cache.
        cache: where features are kept; the user's cache folder when not given.
        progress: is told of tokens done.

    Raises:
        BundleError: the run has no model, or a damaged one.
    """
    bundle = load_bundle(folder.bundle)
    engine = open_engine(bundle.loaded, usage=Usage(classifier=bundle), device=device, progress=progress)
    cached = _cached_blocks(folder, bundle, engine)
    # A probe's features of the whole split were kept when it was trained; of any other text none are.
    taken = bundle.facts.as_read(texts if cached is not None else [texts[row] for row in rows_N])
    blocks = bundle.facts.blocks if cached is None else cached
    features = extract_features(
        taken, engine, blocks, window=bundle.window, cache=cache or FeatureCache(), progress=progress
    )
    if cached is None:
        return features.values_NF
    columns = columns_of(bundle.facts.blocks, blocks, engine.width)
    taken_NF: np.ndarray = features.values_NF[np.ix_(rows_N, columns)]
    return taken_NF


def _cached_blocks(folder: RunFolder, bundle: Bundle, engine: Engine) -> tuple[Block, ...] | None:
    """Return the blocks that a probe or a head was trained with, which are in the cache; None of other methods."""
    if bundle.facts.head != "linear":
        return None
    table = read_toml(folder.settings).get("features", {})
    blocks = all_blocks(candidates_for(build(FeatureSettings, table, where=str(folder.settings)), engine.layers))
    return blocks if set(bundle.facts.blocks) <= set(blocks) else None
