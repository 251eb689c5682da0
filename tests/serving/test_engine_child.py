"""The engine's process, with torch and a real model: its answers, what it survives, and when it ends."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.serving.engines import asking, engine_pid, probabilities

from limbeck.errors import BundleError
from limbeck.inference.predictor import load
from limbeck.model.bundle import Bundle, save_bundle
from limbeck.serving.local_service import LocalService
from limbeck.serving.serve_settings import ServeSettings
from limbeck.settings import HeadKind

TEXTS = ("i feel fine", "so sad today . it is rain ! i feel so very sad " * 3, "sun", "unheard of")

pytestmark = pytest.mark.slow  # each starts a process that imports torch


def test_the_service_answers_as_predict_does(
    make_bundle: Callable[[HeadKind], Bundle], tmp_path: Path, one_thread: None
) -> None:
    """Labels, probabilities, lengths, what was cut and unknown, vectors; signals to all processes end no engine."""
    folder = tmp_path / "RUN" / "bundle"
    save_bundle(make_bundle("linear"), folder, card="")
    wanted: Any = load(folder).predict(TEXTS)

    async def work() -> None:
        service = LocalService(str(folder), ServeSettings(spare=False))
        await service.start()
        try:
            pid = engine_pid(service)
            assert pid is not None
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                os.kill(pid, number)
            answered = await service.answer(asking(*TEXTS, vectors=True))
            found: Any = answered.predictions
            np.testing.assert_allclose(probabilities(answered), wanted.probabilities, rtol=0, atol=1e-6)
            assert found.predicted_names == wanted.predicted_names
            assert found.tokens.tolist() == wanted.tokens.tolist()
            assert found.truncated.tolist() == wanted.truncated.tolist() == (answered.cut_tokens > 0).tolist()
            assert found.unknown.tolist() == wanted.unknown.tolist()
            assert answered.vectors is not None
            assert answered.vectors.shape == (len(TEXTS), service.model.vector_width)
            assert service.model.name == "RUN"
            assert service.model.vector_pooling == "mean@2"
            assert engine_pid(service) == pid
        finally:
            await service.stop()

    asyncio.run(work())


def test_a_damaged_bundle_is_refused_with_its_reason(make_bundle: Callable[[HeadKind], Bundle], tmp_path: Path) -> None:
    """What `limbeck.load` says of a folder is what the service says, and the start ends."""
    folder = tmp_path / "bundle"
    save_bundle(make_bundle("linear"), folder, card="")
    (folder / "config.json").write_text("{}")

    async def work() -> None:
        with pytest.raises(BundleError, match=r"config\.json"):
            await LocalService(str(folder), ServeSettings(spare=False)).start()

    asyncio.run(work())


FRONT = """
import asyncio, sys
from limbeck.serving.local_service import LocalService
from tests.serving.engines import engine_pid

async def work():
    service = LocalService(sys.argv[1])
    await service.start()
    print(engine_pid(service), flush=True)
    await asyncio.sleep(60)

asyncio.run(work())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_no_engine_outlives_a_front_that_is_killed(make_bundle: Callable[[HeadKind], Bundle], tmp_path: Path) -> None:
    """Kill -9 of the front leaves no process behind that holds memory and answers nobody."""
    folder = tmp_path / "bundle"
    save_bundle(make_bundle("linear"), folder, card="")
    front = subprocess.Popen([sys.executable, "-c", FRONT, str(folder)], stdout=subprocess.PIPE, text=True)
    assert front.stdout is not None
    with front.stdout:
        pid = int(front.stdout.readline())
    front.kill()
    front.wait()
    for _ in range(500):
        if not Path(f"/proc/{pid}").exists():
            return
        subprocess.run(["sleep", "0.01"], check=True)
    pytest.fail("the engine is still there")
