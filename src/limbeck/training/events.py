"""Events for TensorBoard, made of the journal, which stays the truth: they are made anew whenever a run goes on.

In: `metrics.jsonl`. Out: a folder that `tensorboard --logdir` shows. It does not know what is trained.
"""

import json
import shutil
from pathlib import Path

from limbeck import storage
from limbeck.errors import MissingExtraError

_OF_A_STEP = ("loss", "learning_rate", "gradient_norm")


class Events:
    """Writes what is new in a journal as events.

    Args:
        journal: to read.
        folder: to write; what is in it is removed first.

    Raises:
        MissingExtraError: tensorboardX is absent.
        StorageError: the folder cannot be written.
    """

    def __init__(self, journal: Path, folder: Path) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError as error:
            raise MissingExtraError('events need tensorboardX: pip install "limbeck[tensorboard]"') from error
        with storage.explained(folder, doing="write"):
            shutil.rmtree(folder, ignore_errors=True)
            self._writer = SummaryWriter(str(folder))
        self._journal = journal
        self._read_bytes = 0

    def update(self) -> None:
        """Write the lines that the journal has gained."""
        with storage.explained(self._journal, doing="read"), self._journal.open("rb") as file:
            file.seek(self._read_bytes)
            content = file.read()
        whole = content[: content.rfind(b"\n") + 1]
        self._read_bytes += len(whole)
        for line in whole.splitlines():
            values = json.loads(line)
            if values["what"] == "step":
                for name in _OF_A_STEP:
                    self._writer.add_scalar(f"step/{name}", values[name], values["step"])
            elif values["what"] == "epoch":
                for name, value in values.items():
                    if name not in ("what", "epoch"):
                        self._writer.add_scalar(f"epoch/{name}", value, values["epoch"])
        with storage.explained(self._journal, doing="write"):
            self._writer.flush()

    def close(self) -> None:
        """Write what is left and let go of the file."""
        self.update()
        self._writer.close()
