"""What a run is made of, written before it begins: whoever resumes it must bring the same.

In: rows, settings, an encoder. Out: plain values for run.json, and the check on the way back.
It does not know what is trained.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from limbeck import storage
from limbeck.data.dataset import Dataset
from limbeck.errors import FaultLog, SettingsError
from limbeck.model.loaded_encoder import LoadedEncoder
from limbeck.progress import SILENT, Progress
from limbeck.runs.run_folder import RunFolder
from limbeck.runtime import count_threads, library_versions
from limbeck.setting_tables import to_plain

_FREE = ("checkpoint_every_s", "keep_checkpoints", "tensorboard")
"""Settings that may change when a run goes on: they decide no bit of the result."""
_SAID_ELSEWHERE = ("source", "name", "engine", "numerics", "earlier_numerics")
"""What is compared by other means: data and weights by their fingerprints, engines by the arithmetic that they mean."""


def make_record(dataset: Dataset, stages: Mapping[str, Any], loaded: LoadedEncoder, numerics: str) -> dict[str, Any]:
    """Say how a run is made: settings and seeds, data and its fingerprint, encoder, arithmetic, threads, versions."""
    return {
        "settings": {name: to_plain(stage) for name, stage in stages.items()},
        "data": {**data_record(dataset), "notes": [asdict(note) for note in dataset.notes]},
        "encoder": {
            "name": loaded.name,
            "weights": loaded.fingerprint,
            "tokenizer": loaded.tokenizer.fingerprint,
            "numerics": numerics,
        },
        "threads": count_threads(),
        "versions": library_versions(),
    }


def data_record(dataset: Dataset) -> dict[str, Any]:
    """Say which rows a run is made of."""
    return {"source": dataset.source, "fingerprint": dataset.fingerprint(), "rows": dataset.split_sizes()}


def recorded_numerics(folder: RunFolder) -> str | None:
    """Return the arithmetic that an unfinished run was begun with; None where there is none."""
    if not folder.record.exists():
        return None
    numerics = storage.read_json(folder.record).get("encoder", {}).get("numerics")
    return numerics if isinstance(numerics, str) else None


def claim_run(
    folder: RunFolder, record: dict[str, Any], progress: Progress = SILENT, *, accepts_engine: bool = False
) -> dict[str, Any]:
    """Write a run's record, or when there is one, refuse to go on with another run than the one it is of.

    Args:
        folder: of the run.
        record: what it would be of now.
        progress: is told what differs and does not matter.
        accepts_engine: go on with another arithmetic, and record that.

    Returns:
        What the run is recorded as.

    Raises:
        SettingsError: gathers what differs.
    """
    if not folder.record.exists():
        storage.write_json(folder.record, record)
        return record
    before = storage.read_json(folder.record)
    faults = FaultLog()
    for part in ("settings", "data", "encoder"):
        faults.extend(differences(before.get(part), record.get(part), part))
    faults.raise_as(
        SettingsError,
        what=f"{folder.path} holds another run than the one to go on with",
        todo="give the settings and the data that it began with, or --overwrite to begin again",
    )
    for line in differences(before.get("versions"), record["versions"], "versions"):
        progress.say(f"the last bits may differ from an unbroken run: {line}")
    if "encoder" not in record:
        return record
    return _with_engine(folder, before, record, progress, accepts=accepts_engine)


def _with_engine(
    folder: RunFolder, before: Mapping[str, Any], record: dict[str, Any], progress: Progress, *, accepts: bool
) -> dict[str, Any]:
    """Return the record with every arithmetic that the run was computed in; a new one must be accepted."""
    was, now = before["encoder"].get("numerics"), record["encoder"]["numerics"]
    earlier = before["encoder"].get("earlier_numerics", [])
    if was != now:
        if not accepts:
            raise SettingsError(
                f"{folder.path} was begun with other arithmetic ({was}) than there is here and now ({now}): go on "
                "where it was begun, or accept this one with --resume --accept-engine, which is recorded; the result "
                "is then not that of an unbroken run, bit by bit"
            )
        earlier = [*earlier, was]
        progress.say(f"going on with other arithmetic, as accepted: was {was}, is {now}")
    if not earlier:
        return record
    changed = {**record, "encoder": {**record["encoder"], "earlier_numerics": earlier}}
    if was != now:
        storage.write_json(folder.record, changed)
    return changed


def differences(before: Any, now: Any, where: str) -> Iterator[str]:
    """Say how a record that was read differs from one that would be written now."""
    return _differences(before, _as_json(now), where)


def _differences(before: Any, now: Any, where: str) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted(before.keys() | now.keys()):
            if key not in (*_FREE, *_SAID_ELSEWHERE):
                yield from _differences(before.get(key), now.get(key), f"{where}.{key}")
    elif before != now:
        yield f"{where}: was {before!r}, is {now!r}"


def _as_json(value: Any) -> Any:
    """Give a value the form that it has once it was written and read."""
    if isinstance(value, Mapping):
        return {key: _as_json(item) for key, item in value.items()}
    return [_as_json(item) for item in value] if isinstance(value, list | tuple) else value
