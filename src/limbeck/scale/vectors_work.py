"""Vectors, opened: an encoder makes a vector of each row, as `limbeck features` does.

In: a dataset, some rows at a time. Out: a table of row ids, the rows' own columns and vectors. Parts take the place of
the feature cache: nothing is kept twice. It does not know units, files or labels.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from limbeck.catalog.presets import PRESETS
from limbeck.data.dataset import Dataset
from limbeck.evaluation.row_answers import free_name
from limbeck.features.files import FEATURE_COLUMN, vectors_field
from limbeck.features.text_encoder import load_encoder
from limbeck.hub.ids import is_hub_id
from limbeck.inference.engine import Engine
from limbeck.inference.long_texts import MOST_ROWS_ANSWERED
from limbeck.model.blocks import Block, blocks_for
from limbeck.progress import Progress
from limbeck.scale.opened_work import MadeWith, PieceAnswers, made_with
from limbeck.scale.work import Vectors
from limbeck.setting_tables import build
from limbeck.settings import Device, EngineName, ReadSettings
from limbeck.tokens import ReadTexts, Window

_OWN = re.compile(rf"row_id|{FEATURE_COLUMN}")


@dataclass(frozen=True, kw_only=True, eq=False)
class VectorsWork:
    """An encoder that makes vectors of rows.

    Attributes:
        work: which vectors are wanted.
        engine: with the encoder.
        blocks: what is pooled.
        window: what is read of a text.
    """

    work: Vectors
    engine: Engine
    blocks: tuple[Block, ...]
    window: Window

    @property
    def made_with(self) -> MadeWith:
        """The encoder and its engine."""
        loaded = self.engine.loaded
        is_named = loaded.name in PRESETS or is_hub_id(loaded.name)
        digest = hashlib.sha256(f"{loaded.fingerprint} {loaded.tokenizer.content}".encode()).hexdigest()
        model = loaded.name if is_named else str(Path(loaded.name).resolve())
        return made_with(self.engine, model=model, bundle=digest)

    def reading(self, given: Mapping[str, Any]) -> ReadSettings:
        """Return how texts are read."""
        return build(ReadSettings, asdict(ReadSettings(labels="ignored")), given, where="flags")

    def count_tokens(self, texts: Sequence[str]) -> int:
        """Return how many tokens the encoder reads of texts."""
        return len(self.engine.loaded.tokenizer.read(texts, self.window).rows.ids)

    def compute(self, texts: Sequence[str]) -> tuple[np.ndarray, ReadTexts]:
        """Return the vectors of texts, float32 (N, F), and what was read of them.

        `extract_features` gives an engine as many texts at a time as there are cores for; here they are those of the
        piece on every machine, so that a part has the same bytes wherever it is computed.
        """
        read = self.engine.loaded.tokenizer.read(texts, self.window)
        if read.is_plain:
            return self.engine.features(read.rows, self.blocks), read
        means = []
        for group in read.groups(MOST_ROWS_ANSWERED):
            part = read.take(np.arange(group.start, group.stop))
            means.append(part.mean(self.engine.features(part.rows, self.blocks)))
        return np.concatenate(means), read

    def answer(self, dataset: Dataset, others: pa.Table | None) -> PieceAnswers:
        """Make vectors of some rows; a column of the rows that is called as one of the part's gets a prefix."""
        found_NF, read = self.compute(dataset.texts)
        columns: dict[str, Any] = {"row_id": dataset.table["row_id"].cast(pa.string())}
        names = [] if others is None else others.column_names
        for name in names:
            columns[free_name(name, names, _OWN)] = None if others is None else others[name]
        values_NF = found_NF.astype(np.dtype(self.work.vector_type), copy=False)
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(values_NF.ravel()), values_NF.shape[1])
        table = pa.table(columns).append_column(vectors_field(vectors.type, self.blocks), vectors)
        return PieceAnswers(table=table, count_cut=int(read.truncated.sum()))

    def joined(self, tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
        """Return the rows of all of them."""
        return tables


def open_vectors(
    work: Vectors, model: str, *, device: Device, engine: EngineName | None, progress: Progress
) -> VectorsWork:
    """Open an encoder: a preset, one of the hub, or a folder.

    Raises:
        LimbeckError: as `load_encoder` says.
        SettingsError: there is no such layer, or more tokens are wanted than it can read.
    """
    opened = load_encoder(model, device=device, engine=engine, progress=progress).engine
    return VectorsWork(
        work=work,
        engine=opened,
        blocks=blocks_for(work.pooling, work.layer, opened.layers),
        window=opened.loaded.tokenizer.window(work.window, work.max_tokens),
    )
