"""Parts request: what is to be answered into a folder of parts, and how.

In: words and settings. Out: plain values, which can be handed to another process. It opens nothing.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from limbeck.scale.scale_settings import ScaleSettings
from limbeck.scale.work import Answers, Work, work_of
from limbeck.settings import FeatureSettings


@dataclass(frozen=True, kw_only=True)
class PartsRequest:
    """What is to be answered, and how.

    Attributes:
        source: a file, a folder, or a pattern of files.
        run: the model, as `load` takes it; for vectors the encoder, as `load_encoder` takes it.
        out: the folder of parts.
        scale: how units are made and computed.
        computing: device and engine.
        reading: fields of `ReadSettings` that were given.
        work: what is done with the rows.
    """

    source: str
    run: str | Path
    out: Path
    scale: ScaleSettings = field(default_factory=ScaleSettings)
    computing: FeatureSettings = field(default_factory=FeatureSettings)
    reading: Mapping[str, Any]
    work: Work = field(default_factory=Answers)

    def to_json(self) -> dict[str, Any]:
        """Return the values as JSON has them."""
        return {**asdict(self), "run": str(self.run), "out": str(self.out), "work": self.work.to_json()}


def request_of(values: Mapping[str, Any]) -> PartsRequest:
    """Return what `PartsRequest.to_json` made."""
    return PartsRequest(
        source=values["source"],
        run=values["run"],
        out=Path(values["out"]),
        scale=ScaleSettings(**values["scale"]),
        computing=FeatureSettings(**values["computing"]),
        reading=values["reading"],
        work=work_of(values["work"]),
    )
