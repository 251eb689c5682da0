"""`limbeck serve` as a whole: a model behind HTTP, its engine killed, its end; answers are those of the library."""

import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import limbeck

TEXTS = ["i feel fine", "so sad today", "it is rain .", "very very sunny !", "슬픔 😀", "so " * 30]
CLIENTS = 4
ENGINE = "torch-float32"
"""So that nothing is measured before."""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="children of a process are found in /proc")
def test_a_model_is_served_through_kills_to_its_end(bundle_folder):
    """Four clients ask all the time; the engine is killed; then SIGTERM.

    Every request that was sent has one answer, of the model's own probabilities; the counts of the service are the
    clients'; the exit status is 0.
    """
    served = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "limbeck",
            "serve",
            str(bundle_folder),
            "--port",
            "0",
            "--json",
            "--drain-s",
            "0.3",
            "--no-spare",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        told = _told(served)
        own = limbeck.load(bundle_folder, device="cpu", engine=ENGINE).predict(TEXTS)
        counts, faults = Counter(), []
        threads = [
            threading.Thread(target=_ask_on, args=(told["url"], own.probabilities, seed, counts, faults))
            for seed in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        chance, killed = random.Random(5), set()  # noqa: S311  # moments, not secrets
        while not killed:
            answered = counts[200]
            while counts[200] < answered + CLIENTS:
                time.sleep(chance.uniform(0.01, 0.05))
            for pid in _engines_of(served.pid) - killed:
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
                break
        answered = counts[200]
        while counts[200] < answered + CLIENTS:
            time.sleep(0.01)
        metrics = _get(told["url"], "/metrics")
        served.send_signal(signal.SIGTERM)
        assert served.wait(30) == 0
        for thread in threads:
            thread.join()
    finally:
        served.kill()
        served.wait()
        served.stdout.close()
    assert faults == []
    assert set(counts) == {200}
    assert counts[200] >= 3 * CLIENTS
    assert 'limbeck_requests_total{dialect="own",outcome="failed"} 0' in metrics
    assert 'limbeck_requests_total{dialect="own",outcome="abandoned"} 0' in metrics


def _told(served):
    """Read what is said when the model is served."""
    lines = []
    for line in served.stdout:
        lines.append(line)
        if line == "}\n":
            return json.loads("".join(lines))
    raise AssertionError(f"it ended with status {served.wait()}")


def _ask_on(url, probabilities, seed, counts, faults):
    """Ask, one request after the other, until nobody listens."""
    chance = random.Random(seed)  # noqa: S311  # texts, not secrets
    while True:
        row = chance.randrange(len(TEXTS))
        connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
        try:
            connection.connect()
        except ConnectionRefusedError:
            return
        try:
            connection.request(
                "POST", "/classify", json.dumps({"input": TEXTS[row]}), {"content-type": "application/json"}
            )
            answer = connection.getresponse()
            found = json.loads(answer.read())
            counts[answer.status] += 1
            if answer.status != 200 or not np.allclose(found["data"][0]["probs"], probabilities[row], atol=1e-6):
                faults.append(found)
        except (OSError, http.client.HTTPException) as error:
            faults.append(repr(error))
        finally:
            connection.close()


def _get(url, path):
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    connection.request("GET", path)
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def _engines_of(pid):
    """Return the children of a process."""
    lists = (path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children"))
    return {int(word) for line in lists for word in line.split()}
