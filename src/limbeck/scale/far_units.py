"""Far units: what a process does with a unit that somebody else started and that is bound to no cores: Ray's, Spark's.

In: a folder, a number, which plan is meant, how many threads. Out: plain values, as `unit_words` has them. Nothing is
taken for granted: that this machine sees the folder, the model and the file, that they are those that were planned.
"""

import platform
from functools import lru_cache
from pathlib import Path
from typing import Any

from limbeck.errors import LimbeckError, SettingsError, StorageError
from limbeck.remote_files import RemotePath
from limbeck.scale.parts_folder import PartsFolder
from limbeck.scale.unit_words import error_words, outcome_words
from limbeck.storage import explained, sha256_of

_SHARED = "put it on a file system that all machines of the cluster see under the same name"


def do_far_unit(folder: str, number: int, plan_sha256: str, threads: int) -> dict[str, Any]:
    """Compute one unit, in whatever process of whatever machine.

    Args:
        folder: of the parts, by its name from the root; it has a plan.
        number: of the unit.
        plan_sha256: of the plan that is meant.
        threads: that this process may compute with.

    Returns:
        `{"done": record}` or `{"fault": …}`; `{"stopped": kind, "why": …}` where no unit can be computed, with the name
        of this machine: it does not see what it needs, or sees something else.
    """
    from limbeck.runtime import release_free_memory

    try:
        _take_threads(threads)
        _require_what_is_needed(Path(folder), number, plan_sha256)
        from limbeck.scale.unit_task import do_unit

        return outcome_words(do_unit(folder, number))
    except LimbeckError as error:
        return error_words(error, platform.node())
    finally:
        release_free_memory()


@lru_cache(maxsize=1)
def _take_threads(threads: int) -> None:
    """Keep to so many threads: torch, engines, tokenizers and Arrow; a model that is open has those of its opening."""
    import pyarrow as pa

    from limbeck.runtime import set_threads

    set_threads(threads)
    pa.set_cpu_count(threads)


def _require_what_is_needed(folder: Path, number: int, plan_sha256: str) -> None:
    """Refuse to compute where plan, model or file cannot be seen.

    A file that is gone ends the run rather than setting its unit aside: the next command would refuse to go on anyway.

    Raises:
        StorageError: says what this machine does not see, and what to do.
        SettingsError: the plan is another one.
    """
    from limbeck.scale.unit_task import plan_in

    parts = PartsFolder(folder)
    if not parts.plan_path.is_file():
        raise StorageError(f"the folder of parts {folder} cannot be seen: {_SHARED}")
    with explained(parts.plan_path, doing="read"):
        now = parts.plan_path.stat()
    if _sha256_of_plan(parts.plan_path, now.st_size, now.st_mtime_ns) != plan_sha256:
        raise SettingsError(f"{parts.plan_path} is another plan than that of who asks: {_SHARED}")
    plan = plan_in(parts)
    # An encoder may be called by a name, which means the same everywhere; one that does not is found by its digest.
    if Path(plan.model).is_absolute() and not Path(plan.model).exists():
        raise StorageError(f"the model {plan.model} cannot be seen: {_SHARED}")
    file = plan.unit(number).file.cut.path
    if not isinstance(file, RemotePath) and not file.exists():
        raise StorageError(f"the file {file} cannot be seen: {_SHARED}, or read it from a store (s3://)")


@lru_cache(maxsize=1)
def _sha256_of_plan(path: Path, _size_bytes: int, _mtime_ns: int) -> str:
    return sha256_of(path)
