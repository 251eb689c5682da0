"""What `limbeck serve` holds under load, beside its peers, over the same model on the same machine.

    python benchmarks/serve.py RUN [--peers fastapi,litserve,infinity,ray] [--pythons infinity=PYTHON,…] [--quick]

RUN must be fine-tuned with Hugging Face's head (`--method finetune`), so that every peer opens its bundle. All servers
are started, each in its own processes, and asked one at a time; the others are stopped meanwhile (SIGSTOP), since some
use the processor while nobody asks. The load comes from this process, by schedule, on the same cores.

In alternating rounds: the highest rate of tweets whose p99 is at most 50 ms, and 200 ms; medians, and the median of the
rounds' ratios. Then once for each server: the same rates for a mix in which every tenth text is a review; what is
answered within a second at 2, 5 and 10 times its highest rate of tweets; one text at a time; processor seconds per
1,000 texts; the start. Ours also: the time to the next answer after a kill. A peer that does not start is named with
its reason. Writes results/serve-ISA.json.
"""

import argparse
import asyncio
import json
import math
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from measure import write_result
from serve_library import beside_library, versions_in
from serve_load import open_loop, post, whole_status
from serve_peers import PATHS, PEERS, THREADS, body_for
from workloads import corpus

from limbeck.native.kernels import Kernels
from limbeck.native.libraries import find_kernels

OURS = "limbeck"
LIMITS_MS = (50.0, 200.0)
OVERLOADS = (2, 5, 10)
DEADLINE_S = 1.0
ENOUGH = 0.999
FIRST_RATE_PER_S, GROWTH, NEAR_GROWTH = 8.0, 1.6, 1.2
FINE_STEPS, NEAR_FINE_STEPS = 3, 1
ROUNDS = 5
START_WITHIN_S = 180.0
SETTLED_S = 15.0
"""After the start, our spare engine is loaded, which takes processor time from the first answers."""
SINGLE_CALLS, SINGLE_TEXTS = 200, 50
PACKAGES = {
    OURS: ("torch", "uvicorn", "starlette"),
    "fastapi": ("torch", "transformers", "fastapi", "uvicorn"),
    "litserve": ("torch", "transformers", "litserve"),
    "infinity": ("torch", "transformers", "infinity-emb"),
    "ray": ("torch", "transformers", "ray"),
}
"""Whose versions decide what was measured."""
LONG_SHARE = 10
"""In the mix, every tenth text is a review."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Server:
    """A server that runs.

    Attributes:
        name: of it.
        pid: of its first process.
        address: host and port.
        url: where it takes a text.
        body: for one text.
        requests: one for each text, by workload.
        start_s: seconds from its start to its first answer.
    """

    name: str
    pid: int
    address: tuple[str, int]
    url: str
    body: bytes
    requests: dict[str, list[bytes]]
    start_s: float


def our_body(text: str) -> dict[str, Any]:
    """Return what ours is sent for one text: that nobody waits for longer, which peers cannot be told."""
    return {"input": text, "timeout_s": DEADLINE_S}


def free_port() -> int:
    """Return a port that nobody has."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@contextmanager
def running(name: str, run: Path, texts: dict[str, list[str]], python: str) -> Iterator[Server]:
    """Start a server with a Python, wait for its first answer, and end it with all of its processes."""
    port = free_port()
    if name == OURS:
        words = [sys.executable, "-m", "limbeck", "serve", str(run), "--port", str(port), "--no-page"]
    else:
        words = [python, str(Path(__file__).with_name("serve_peers.py")), name, str(run / "bundle"), str(port)]
    path = "/classify" if name == OURS else PATHS[name]
    address = ("127.0.0.1", port)
    bodies = {
        load: [json.dumps(our_body(one) if name == OURS else body_for(name, one)).encode() for one in all_texts]
        for load, all_texts in texts.items()
    }
    requests = {load: [post(address, path, body) for body in all_bodies] for load, all_bodies in bodies.items()}
    log = Path(tempfile.gettempdir()) / f"serve-benchmark-{name}.log"
    url, body = f"http://127.0.0.1:{port}{path}", bodies["tweets"][0]
    with log.open("wb") as output:
        started = time.monotonic()
        process = subprocess.Popen(words, stdout=output, stderr=output, start_new_session=True)
        try:
            while not answers(url, body):
                if process.poll() is not None or time.monotonic() - started > START_WITHIN_S:
                    raise RuntimeError(f"{name} did not start: {log.read_text(errors='replace')[-500:]}")
                time.sleep(0.02)
            start_s = time.monotonic() - started
            time.sleep(SETTLED_S if name == OURS else 0.0)
            yield Server(
                name=name, pid=process.pid, address=address, url=url, body=body, requests=requests, start_s=start_s
            )
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def answers(url: str, body: bytes) -> bool:
    """Tell whether a server answers."""
    asked = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310  # the same
    try:
        with urllib.request.urlopen(asked, timeout=20) as found:  # noqa: S310  # our own server on this machine
            return bool(found.status == 200)
    except OSError:
        return False


def rate_within(server: Server, load: str, limit_ms: float, seconds: float, near: float = 0.0) -> float:
    """Return the highest rate per second whose p99 is within a limit: upwards until it is not, then in halves.

    Args:
        server: that is asked.
        load: name of its requests.
        limit_ms: of the 99th percentile.
        seconds: of each try.
        near: a rate that was found before, from which to begin; 0 where none was.
    """

    def holds(rate_per_s: float) -> bool:
        ended = asyncio.run(open_loop(server.address, server.requests[load], rate_per_s=rate_per_s, seconds=seconds))
        is_held = ended.p99_ms() <= limit_ms and float((ended.statuses == 200).mean()) >= ENOUGH
        print(f"    {server.name} {load}: {rate_per_s:8.1f} per s, p99 {ended.p99_ms():8.1f} ms", flush=True)
        time.sleep(0.5)
        return is_held

    growth = NEAR_GROWTH if near else GROWTH
    low, high = 0.0, near or FIRST_RATE_PER_S
    while holds(high):
        low, high = high, high * growth
    while near and not low and high > 1.0:
        low = high / growth if holds(high / growth) else 0.0
        high = high if low else high / growth
    for _ in range(NEAR_FINE_STEPS if near else FINE_STEPS):
        middle = (low + high) / 2 if low else high / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def processes_of(pid: int) -> dict[int, float]:
    """Return a process and all below it, with the processor seconds of each."""
    ticks = os.sysconf("SC_CLK_TCK")
    parents: dict[int, int] = {}
    used_s: dict[int, float] = {}
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                rest = (place / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(place.name)] = int(rest[1])
            used_s[int(place.name)] = (int(rest[11]) + int(rest[12])) / ticks

    def is_below(one: int | None) -> bool:
        while one is not None and one != pid:
            one = parents.get(one)
        return one == pid

    return {one: seconds for one, seconds in used_s.items() if is_below(one)}


def processor_s(pid: int) -> float:
    """Return the processor seconds of a process and all below it."""
    return sum(processes_of(pid).values())


@contextmanager
def alone(server: Server, servers: Sequence[Server]) -> Iterator[None]:
    """Let one server run, and stop all others meanwhile."""
    others = [pid for one in servers if one is not server for pid in processes_of(one.pid)]
    for pid in others:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(0.5)
        yield
    finally:
        for pid in others:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        time.sleep(0.5)


Rates = dict[str, dict[float, list[float]]]
"""By server and limit, the rate of each round."""


def rates_of(servers: Sequence[Server], seconds: float, *, rounds: int) -> Rates:
    """Return the highest rates of tweets, in rounds: each server in turn, from what it held in the round before."""
    rates: Rates = {one.name: {limit: [] for limit in LIMITS_MS} for one in servers}
    for _ in range(rounds):
        for server in servers:
            with alone(server, servers):
                for limit, known in rates[server.name].items():
                    known.append(rate_within(server, "tweets", limit, seconds, near=known[-1] if known else 0.0))
    return rates


def said_rates(rates: Rates, name: str) -> dict[str, Any]:
    """Return the median rates of a server, all of its rounds, and how often ours is that."""
    said: dict[str, Any] = {}
    for limit, found in rates[name].items():
        ours = rates[OURS][limit]
        times = [one / other if other else math.inf for one, other in zip(ours, found, strict=True)]
        middle = statistics.median(times)
        said[f"{limit:g}"] = {
            "median": round(statistics.median(found), 1),
            "rounds": [round(one, 1) for one in found],
            "ours_is_times": round(middle, 2) if math.isfinite(middle) else None,
        }
    return said


def measured(server: Server, seconds: float, *, rates: dict[str, Any], with_mix: bool) -> dict[str, Any]:
    """Return what else there is of a server."""
    found: dict[str, Any] = {"start_s": round(server.start_s, 2), "tweets": {"rate_with_p99_ms": rates}}
    one_by_one = single_calls(server)
    found["one_text"] = one_by_one
    if with_mix:
        mixed = {f"{limit:g}": round(rate_within(server, "mix", limit, seconds), 1) for limit in LIMITS_MS}
        found["mix"] = {"rate_with_p99_ms": mixed}
    peak = max(one["median"] for one in rates.values()) or 1.0
    found["overload"] = {}
    for times in OVERLOADS:
        ended = asyncio.run(
            open_loop(server.address, server.requests["tweets"], rate_per_s=peak * times, seconds=seconds)
        )
        summary = ended.summary(DEADLINE_S)
        found["overload"][str(times)] = {"goodput": round(summary["good_per_s"] / peak, 3), **summary}
        print(f"    {server.name} at {times} times: {found['overload'][str(times)]['goodput']}", flush=True)
        time.sleep(3)
    before = processor_s(server.pid)
    rate = peak / 2
    ended = asyncio.run(open_loop(server.address, server.requests["tweets"], rate_per_s=rate, seconds=seconds))
    used_s = processor_s(server.pid) - before
    found["processor_s_per_1000_texts"] = round(used_s / max(1, len(ended.due_s)) * 1000, 2)
    return found


def idle_shares(servers: Sequence[Server], seconds: float = 3.0) -> dict[str, float]:
    """Return the share of one core that each server uses while nobody asks."""
    before = [processor_s(one.pid) for one in servers]
    time.sleep(seconds)
    return {
        one.name: round((processor_s(one.pid) - used_s) / seconds, 3)
        for one, used_s in zip(servers, before, strict=True)
    }


def single_calls(server: Server, pause_s: float = 0.0) -> dict[str, float]:
    """Return p50 and p99 of one text at a time over one connection, by a client that costs next to nothing."""
    spent = []
    with socket.create_connection(server.address, timeout=60) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for call in range(SINGLE_CALLS):
            time.sleep(pause_s)
            started = time.perf_counter()
            line.sendall(server.requests["tweets"][call % SINGLE_TEXTS])
            come = line.recv(2**16)
            while whole_status(come) is None:
                come += line.recv(2**16)
            spent.append((time.perf_counter() - started) * 1e3)
    spent = sorted(spent[SINGLE_CALLS // 10 :])
    return {"p50_ms": round(statistics.median(spent), 2), "p99_ms": round(spent[int(0.99 * (len(spent) - 1))], 2)}


def single_p50_ms(server: Server, pause_s: float) -> float:
    """Return the median milliseconds of one text over HTTP, each after a pause."""
    return single_calls(server, pause_s)["p50_ms"]


def after_a_kill(server: Server, kills: int) -> dict[str, Any]:
    """Kill our engine's process; return the seconds until the next answer."""
    spent = []
    for _ in range(kills):
        children = [int(one) for one in Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()]
        os.kill(children[0], signal.SIGKILL)
        started = time.monotonic()
        is_answered = answers(server.url, server.body)
        spent.append(time.monotonic() - started if is_answered else float("inf"))
        time.sleep(8)  # until the next spare is there
    return {"kills": kills, "median_s": round(statistics.median(spent), 3), "highest_s": round(max(spent), 3)}


def main() -> None:
    reading = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    reading.add_argument("run", type=Path)
    reading.add_argument("--peers", default=",".join(PEERS))
    reading.add_argument("--pythons", default="", help="of peers that have an environment of their own: name=path,…")
    reading.add_argument("--seconds", type=float, default=10.0)
    reading.add_argument("--rounds", type=int, default=ROUNDS)
    reading.add_argument("--quick", action="store_true", help="one short round, tweets only: whether it runs")
    reading.add_argument("--name", help="of the result; that of the instruction set where it is not given")
    asked = reading.parse_args()
    tweets, reviews = corpus("emotion")[0][:2000], corpus("imdb")[0][:200]
    mix = [reviews[place // LONG_SHARE % 200] if place % LONG_SHARE == 0 else one for place, one in enumerate(tweets)]
    texts = {"tweets": tweets, "mix": mix}
    seconds, rounds = (2.0, 1) if asked.quick else (asked.seconds, asked.rounds)
    found: dict[str, Any] = {}
    pythons = dict(one.split("=", 1) for one in asked.pythons.split(",") if one)
    with ExitStack() as stack:
        servers = []
        for name in (OURS, *(one for one in asked.peers.split(",") if one)):
            print(name, flush=True)
            try:
                python = pythons.get(name, sys.executable)
                servers.append(stack.enter_context(running(name, asked.run, texts, python)))
            except (RuntimeError, OSError) as error:
                found[name] = {"not_measured": str(error)[-300:]}
                print(f"    {error}", flush=True)
        idle = idle_shares(servers)
        rates = rates_of(servers, seconds, rounds=rounds)
        for server in servers:
            said = said_rates(rates, server.name)
            with alone(server, servers):
                found[server.name] = {
                    **measured(server, seconds, rates=said, with_mix=not asked.quick),
                    "processor_share_when_idle": idle[server.name],
                }
                if server.name == OURS:
                    calls = [tweets[call % SINGLE_TEXTS] for call in range(SINGLE_CALLS)]
                    http_ms = partial(single_p50_ms, server)
                    found[OURS]["beside_library"] = beside_library(http_ms, asked.run, calls, ROUNDS)
                    found[OURS]["after_a_kill"] = after_a_kill(server, 1 if asked.quick else 10)
    for name, entry in found.items():
        entry["versions"] = versions_in(pythons.get(name, sys.executable), PACKAGES[name])
    kernels = find_kernels()
    isa = kernels.name if isinstance(kernels, Kernels) else "default"
    result = {
        "isa": isa,
        "engine": found[OURS]["beside_library"]["engine"],
        "threads": THREADS,
        "rounds": rounds,
        "seconds": seconds,
        "servers": found,
    }
    print(write_result(f"serve-{asked.name or isa}", result, packages=("limbeck",)))


if __name__ == "__main__":
    main()
