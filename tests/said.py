"""A Progress that notes what a step says."""

from limbeck.progress import SILENT


class Said:
    """Keeps the lines; shows no bar."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.track = SILENT.track

    def say(self, line: str) -> None:
        self.lines.append(line)
