"""An engine without a model, for tests: it speaks as limbeck's own does, starts at once, and does harm where told.

The folder of the wish has `about.json`: what the engine says of itself, and `plain`: {"token_s": seconds per token,
"start_s": seconds per batch, "load_s": seconds before it is ready, "harm": {token id: "raise" | "nan" | "kill" |
"hang"}}. The answer to a text is a function of its ids alone: see `answer_to`.
"""

import json
import os
import signal
import socket
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np

from limbeck.serving.engine_frames import EngineFrame, FrameReader, frame_bytes


def answer_to(ids: np.ndarray) -> list[float]:
    """Return two probabilities that tell texts apart."""
    first = float((int(ids.sum()) * 37 + len(ids)) % 1009) / 1009
    return [first, 1 - first]


class PlainEngine:
    """Answers frames; rows of a text that has several are averaged."""

    def __init__(self, plain: dict[str, object]) -> None:
        self._plain = plain
        self._partial: dict[int, tuple[int, list[int], dict[int, list[float]]]] = {}

    def answer(self, frame: EngineFrame) -> bytes:
        said = frame.said
        for request in said["gone"]:
            self._partial.pop(request, None)
        for request, with_vectors, texts in said["new"]:
            self._partial[request] = (with_vectors, [1] * texts if isinstance(texts, int) else texts, {})
        if not said["parts"]:
            return frame_bytes({"batch": said["batch"], "done": []})
        ids, offsets = frame.arrays
        time.sleep(float(self._plain.get("start_s", 0)) + len(ids) * float(self._plain.get("token_s", 0)))
        harm = {int(token): what for token, what in dict(self._plain.get("harm", {})).items()}
        done, answers, vectors = [], [], []
        at = 0
        for request, start, stop in said["parts"]:
            partial = self._partial.get(request)
            for row in range(start, stop):
                own = ids[offsets[at] : offsets[at + 1]]
                at += 1
                met = {harm[int(token)] for token in own if int(token) in harm}
                if "kill" in met:
                    os.kill(os.getpid(), signal.SIGKILL)
                if "hang" in met:
                    time.sleep(3600)
                if "raise" in met:
                    for other, _, _ in said["parts"]:
                        self._partial.pop(other, None)
                    return frame_bytes({"failed": said["batch"], "why": "ValueError: so told"})
                if partial is not None:
                    partial[2][row] = [float("nan")] * 2 if "nan" in met else answer_to(own)
            if partial is not None and len(partial[2]) == sum(partial[1]):
                with_vectors, rows, values = self._partial.pop(request)
                of_rows = [values[row] for row in range(len(values))]
                starts = np.cumsum([0, *rows])
                found = np.array([np.mean(of_rows[a:b], axis=0) for a, b in pairwise(starts)])
                bad = np.flatnonzero(~np.isfinite(found).all(axis=1)).tolist()
                done.append([request, len(rows), with_vectors, bad])
                answers.append(found.astype(np.float32))
                if with_vectors:
                    vectors.append(found[:, :1].astype(np.float32))
        arrays = [np.concatenate(one) for one in (answers, vectors) if one]
        return frame_bytes({"batch": said["batch"], "done": done}, *arrays)


def main() -> None:
    wish = json.loads(sys.argv[1])
    line = socket.socket(fileno=os.dup(0))
    folder = Path(wish["folder"])
    if not (folder / "about.json").is_file():
        line.sendall(frame_bytes({"refused": "BundleError", "why": f"{folder} holds no model"}))
        return
    about = json.loads((folder / "about.json").read_text())
    plain = about.pop("plain")
    time.sleep(plain.get("load_s", 0))
    engine, reader = PlainEngine(plain), FrameReader()
    line.sendall(frame_bytes({"ready": about}))
    while piece := line.recv(2**18):
        for frame in reader.feed(piece):
            line.sendall(engine.answer(frame))


if __name__ == "__main__":
    main()
