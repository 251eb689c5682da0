"""Watching: sees that another model was written into a folder, and that its writing is over.

In: a folder. Out: a call, once for each change. It does not know models, nor what is done with them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

WATCHED = ("limbeck.json", "manifest.json", "config.json", "model.safetensors", "tokenizer.json")
"""Files of a model, in the folder itself or in its bundle."""
LOOK_S = 1.0

Signs = tuple[tuple[str, int, int, int], ...]


async def watch_folder(folder: Path, changed: Callable[[], Awaitable[None]], *, every_s: float = LOOK_S) -> None:
    """Call whenever the model of a folder has changed, and then not for one look; never returns.

    Args:
        folder: of the model: a run folder, a bundle, or one that another program saved.
        changed: is called, and waited for.
        every_s: seconds between two looks.
    """
    known = last = signs_of(folder)
    while True:
        await asyncio.sleep(every_s)
        found = signs_of(folder)
        # An empty folder is one in which somebody is writing.
        if found != known and found == last and found:
            known = found
            await changed()
        last = found


def signs_of(folder: Path) -> Signs:
    """Return what tells the files of a model from others: their places, sizes, times and numbers on the disk."""
    found = []
    for place in (folder / "bundle", folder):
        for name in WATCHED:
            try:
                seen = (place / name).stat()
            except OSError:
                continue
            found.append((f"{place.name}/{name}", seen.st_size, seen.st_mtime_ns, seen.st_ino))
    return tuple(found)
