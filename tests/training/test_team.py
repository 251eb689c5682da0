"""Several processes: the same training as in one, ended together, gone on with by any number.

Processes are forked after torch is loaded, so that a test takes a second; `torchrun` sets the same names.
"""

import ctypes
import os
import re
import signal
import socket
import time
import traceback
from datetime import timedelta

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from limbeck.errors import STATUSES, SettingsError, Terminated, TrainingError
from limbeck.runtime import is_follower
from limbeck.training import heartbeats
from limbeck.training import team as team_module
from limbeck.training.session import ELASTIC, opened
from limbeck.training.signals import StopSignal, noticed_signals
from limbeck.training.team import ALONE, joined_team

pytestmark = pytest.mark.slow

LONGEST_S = 60.0
BOUND = 1e-4
"""A tenth of one step at the highest rate, 1e-3: AdamW makes steps of that size of gradients that are mere rounding."""
ENDED_BY_ERROR, ENDED_BY_SIGNAL = 3, 4


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def start(work, ranks=2):
    """Fork processes that know of each other as torchrun's do; return their ids."""
    port, children = free_port(), []
    for rank in range(ranks):
        child = os.fork()
        if not child:
            os.environ.update(
                RANK=str(rank), WORLD_SIZE=str(ranks), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), LOCAL_RANK="0"
            )
            status = 1
            try:
                work(rank)
                status = 0
            except TrainingError as error:
                status = ENDED_BY_ERROR if "another process" in str(error) else 1
                traceback.print_exc()
            except Terminated:
                status = ENDED_BY_SIGNAL
            except BaseException:  # noqa: BLE001  # the child must not go on as its parent
                traceback.print_exc()
            finally:
                os._exit(status)
        children.append(child)
    return children


def last_step(run):
    return max(int(path.name.removeprefix("step-")) for path in (run / "checkpoints").glob("step-*"))


def be_quick(monkeypatch, lost_s):
    for name, seconds in {"BEAT_S": 0.2, "LOST_S": lost_s, "LATE_S": lost_s / 2, "GRACE_S": 1.0}.items():
        monkeypatch.setattr(heartbeats, name, seconds)


def ended(children):
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def train(make_loop, place, *, rate=1e-3, **changes):
    """Train in this process and those that it knows of; leave the weights that each ended with."""
    with noticed_signals() as stop, joined_team() as team:
        loop = make_loop(place, team=team, rate=rate, **changes)
        result = loop.run(stop)
        who = os.environ.get("RANK", "alone")
        save_file(
            {name: weight.contiguous() for name, weight in loop.module.state_dict().items()}, place / f"end-{who}"
        )
        return result


def furthest(one, other):
    return max(float((one[name] - other[name]).abs().max()) for name in one)


def test_two_processes_train_as_one(make_loop, tmp_path):
    """Same micro-batches, same dropout: weights differ by float32's rounding, and between processes not at all."""
    alone, both = tmp_path / "alone", tmp_path / "both"
    expected = train(make_loop, alone, token_budget=20, epochs=3, checkpoint_every_s=None)
    work = lambda _rank: train(make_loop, both, token_budget=20, epochs=3, checkpoint_every_s=None)  # noqa: E731
    assert ended(start(work)) == [0, 0]
    one, first, second = (load_file(path) for path in (alone / "end-alone", both / "end-0", both / "end-1"))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert furthest(one, first) < BOUND
    lines = [(place / "metrics.jsonl").read_text("utf-8").splitlines() for place in (alone, both)]
    assert len(lines[0]) == len(lines[1]) == 18 + 3
    assert expected.steps == 18


def signal_at_step(number, sent):
    """Let this process, which is a child of the test's, get a signal when it looks so often whether it should stop."""
    honest, calls = StopSignal.is_set.fget, []

    def counted(stop):
        calls.append(1)
        if len(calls) == number:
            os.kill(os.getpid(), sent)
        return honest(stop)

    StopSignal.is_set = property(counted)


@pytest.mark.parametrize("rank", [0, 1])
def test_one_that_dies_ends_the_others_and_the_run_goes_on(make_loop, tmp_path, monkeypatch, capfd, rank):
    """After kill -9 of either the other ends with a reason within a minute; one process finishes what two began."""
    be_quick(monkeypatch, lost_s=30.0)
    whole, broken = tmp_path / "whole", tmp_path / "broken"

    def work(own):
        if own == rank:
            signal_at_step(20, signal.SIGKILL)
        train(make_loop, broken, token_budget=20, epochs=3)

    began_s = time.monotonic()
    children = start(work)
    statuses = ended(children)
    assert f"process {rank} on {socket.gethostname()} (pid {children[rank]})" in capfd.readouterr().err
    assert statuses[rank] == -signal.SIGKILL
    assert statuses[1 - rank] == ENDED_BY_ERROR
    assert time.monotonic() - began_s < LONGEST_S
    result = train(make_loop, broken, token_budget=20, epochs=3)
    assert result.resumed_at > 0
    train(make_loop, whole, token_budget=20, epochs=3, checkpoint_every_s=None)
    assert furthest(load_file(whole / "end-alone"), load_file(broken / "end-alone")) < BOUND


@pytest.mark.parametrize("rank", [0, 2])
def test_one_that_hangs_is_named_and_ends_the_others(make_loop, tmp_path, monkeypatch, capfd, rank):
    """One of three is frozen: the others end and say which; with process 0 the place where they meet is frozen too."""
    be_quick(monkeypatch, lost_s=5.0)

    def work(own):
        if own == rank:
            signal_at_step(20, signal.SIGSTOP)
        train(make_loop, tmp_path / "run", token_budget=20, epochs=3)

    began_s = time.monotonic()
    children = start(work, ranks=3)
    try:
        others = [child for place, child in enumerate(children) if place != rank]
        assert ended(others) == [ENDED_BY_ERROR] * 2
        assert time.monotonic() - began_s < LONGEST_S
        said = capfd.readouterr().err
        assert said.count(f"process {rank} on {socket.gethostname()} (pid {children[rank]})") >= 2
        steps = [int(step) for step in re.findall(rf"as far as is known here: step (\d+) in {tmp_path}", said)]
        assert len(steps) >= 2
        # The first of them knows best, and was heard every 0.2 s; the others hear what it has saved.
        assert set(steps) == {last_step(tmp_path / "run")} if rank else max(steps) <= last_step(tmp_path / "run")
        assert "run the same command with --resume" in said
    finally:
        os.kill(children[rank], signal.SIGKILL)
        os.waitpid(children[rank], 0)
    assert train(make_loop, tmp_path / "run", token_budget=20, epochs=3).resumed_at > 0


@pytest.mark.parametrize("place", ["meeting", "computing"])
def test_one_that_hangs_ends_those_who_look_at_nothing(tmp_path, monkeypatch, capfd, place):
    """Who waits in a call of a library, or is in the middle of a long one, is ended from beside it, with the reason."""
    be_quick(monkeypatch, lost_s=3.0)

    def work(own):
        honest = torch.distributed.init_process_group

        def meet(*given, **named):
            if own == 1:
                time.sleep(2)  # time to be heard
                os.kill(os.getpid(), signal.SIGSTOP)
            honest(*given, **named)

        if place == "meeting":
            torch.distributed.init_process_group = meet
        with joined_team() as team:
            if own == 1:
                os.kill(os.getpid(), signal.SIGSTOP)
            ctypes.CDLL(None).sleep(2 * int(LONGEST_S))
            team.wait()

    began_s = time.monotonic()
    children = start(work)
    try:
        assert ended(children[:1]) == [STATUSES[TrainingError].exit_status]
        assert time.monotonic() - began_s < LONGEST_S
        said = capfd.readouterr().err
        assert f"process 1 on {socket.gethostname()} (pid {children[1]}), last heard at" in said
        assert "run the same command with --resume" in said
    finally:
        os.kill(children[1], signal.SIGKILL)
        os.waitpid(children[1], 0)


def test_one_that_never_comes_is_not_waited_for_long(monkeypatch, capfd):
    """A host that vanished before all had met is waited for a while, and not for ever."""
    monkeypatch.setattr(team_module, "MEETING_WAIT", timedelta(seconds=4))

    def work(own):
        if own == 1:
            time.sleep(2 * LONGEST_S)
        with joined_team():
            pass

    children = start(work)
    try:
        assert ended(children[:1]) != [0]
        said = capfd.readouterr().err
        assert "not all 2 processes of this training met at 127.0.0.1" in said
        assert "start all of them within that time" in said
    finally:
        os.kill(children[1], signal.SIGKILL)
        os.waitpid(children[1], 0)


def test_one_that_computes_for_long_is_not_lost(tmp_path, monkeypatch):
    """A native call that takes longer than anybody may be silent: others wait for it, the first too."""
    be_quick(monkeypatch, lost_s=2.0)

    def work(own):
        with joined_team() as team:
            for slow in (0, 1):
                if own == slow:
                    ctypes.CDLL(None).sleep(5)
                assert team.sum(1.0) == [2.0]

    assert ended(start(work)) == [0, 0]


def test_one_that_was_frozen_itself_blames_nobody(tmp_path, monkeypatch, capfd):
    """All are frozen together for longer than anybody may be silent, as a suspended machine is, and go on."""
    be_quick(monkeypatch, lost_s=3.0)

    def work(_rank):
        with joined_team() as team:
            for _ in range(60):
                time.sleep(0.1)
                assert team.sum(1.0) == [2.0]

    children = start(work)
    time.sleep(3)
    for number, pause_s in ((signal.SIGSTOP, 5), (signal.SIGCONT, 0)):
        for child in children:
            os.kill(child, number)
        time.sleep(pause_s)
    assert ended(children) == [0, 0]


@pytest.mark.parametrize("rank", [0, 1])
def test_a_signal_to_one_ends_all_and_all_is_saved(make_loop, tmp_path, rank):
    """All undo the same update; two processes go on to the bits of two that nobody disturbed."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"

    def work(own):
        with noticed_signals() as stop, joined_team() as team:
            loop = make_loop(broken, team=team, token_budget=20, epochs=2)
            honest, calls = loop.losses.losses, []

            def losses(rows):
                calls.append(1)
                if own == rank and len(calls) == 9:
                    stop.note(signal.SIGTERM)
                return honest(rows)

            loop.losses.losses = losses
            try:
                loop.run(stop)
            except Exception as error:
                raise Terminated(str(error)) from error

    assert ended(start(work)) == [ENDED_BY_SIGNAL, ENDED_BY_SIGNAL]
    for place in (broken, whole):
        assert ended(start(lambda _rank, place=place: train(make_loop, place, token_budget=20, epochs=2))) == [0, 0]
    expected, found = load_file(whole / "end-0"), load_file(broken / "end-0")
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_a_fault_in_one_is_told_by_all(make_loop, tmp_path):
    """The process with the bad row names it, the other says who knows."""

    def work(own):
        with noticed_signals() as stop, joined_team() as team:
            loop = make_loop(tmp_path / "run", team=team, token_budget=20)
            honest = loop.losses.losses
            if own == 1:
                loop.losses.losses = lambda rows: honest(rows) * float("nan")
            try:
                loop.run(stop)
            except TrainingError as error:
                (tmp_path / f"said-{own}").write_text(str(error), "utf-8")

    assert ended(start(work)) == [0, 0]
    assert "another process says in which rows" in (tmp_path / "said-0").read_text("utf-8")
    assert "rows train:" in (tmp_path / "said-1").read_text("utf-8")


def test_one_that_ends_by_an_error_is_named(tmp_path, monkeypatch, capfd):
    """A process that cannot read its data, say, ends the others too, who say which it was."""
    be_quick(monkeypatch, lost_s=30.0)

    def work(own):
        with joined_team():
            if own == 1:
                time.sleep(1)  # time to be heard
                raise Terminated("no data here")

    children = start(work)
    assert ended(children) == [ENDED_BY_ERROR, ENDED_BY_SIGNAL]
    assert f"process 1 on {socket.gethostname()} (pid {children[1]})" in capfd.readouterr().err


def test_an_elastic_run_needs_a_folder_that_all_share(tmp_path):
    """Each process says whether it is its own that differs; nothing stays of the look. With one folder all is well."""

    def work(own, place):
        with joined_team() as team:
            try:
                with opened(tmp_path / place, ELASTIC, team) as folder:
                    (tmp_path / f"opened-{place}-{own}").write_text(str(folder.path), "utf-8")
            except SettingsError as error:
                (tmp_path / f"said-{place}-{own}").write_text(str(error), "utf-8")

    assert ended(start(lambda own: work(own, f"apart-{own}"))) == [0, 0]
    assert "on another host" in (tmp_path / "said-apart-0-0").read_text("utf-8")
    assert f"here, on {socket.gethostname()}, is not" in (tmp_path / "said-apart-1-1").read_text("utf-8")
    assert ended(start(lambda own: work(own, "shared"))) == [0, 0]
    assert (tmp_path / "opened-shared-0").exists()
    assert (tmp_path / "opened-shared-1").exists()
    assert not list((tmp_path / "shared").glob(".staged-*"))


def test_a_rate_is_found_and_layers_unfrozen_together(make_loop, tmp_path):
    """The finder and gradual unfreezing know nothing of processes, and both end with the same bits."""
    changes = {"rate": None, "unfreeze": "gradual", "epochs": 2, "checkpoint_every_s": None}
    work = lambda _rank: train(make_loop, tmp_path / "run", **changes)  # noqa: E731
    assert ended(start(work)) == [0, 0]
    first, second = (load_file(tmp_path / "run" / f"end-{rank}") for rank in (0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_words_and_sums_reach_everybody(tmp_path):
    """What the first says, all hear; Hangul and nothing at all too."""

    def work(own):
        with joined_team() as team:
            assert team.tell("말" if own == 0 else "other") == "말"
            assert team.tell("") == ""
            assert team.sum(1.0, float(own)) == [3.0, 3.0]
            assert team.any(own == 2)
            assert not team.any(False)
            parts = [np.arange(4), np.arange(4, 6)]
            mine = team.share(parts, np.array([1, 1, 1, 1, 2, 2]))
            assert [number for number, _ in mine] == [own]
            rows = np.zeros(6)
            rows[mine[0][1]] = 1
            team.sum_array(rows)
            assert rows.tolist() == [1.0] * 6
            assert is_follower() == (own > 0)

    assert ended(start(work, ranks=3)) == [0, 0, 0]


def test_alone_nothing_is_shared():
    """The team of one is the same loop without any of it."""
    parts = [np.arange(3), np.arange(3, 5)]
    assert [number for number, _ in ALONE.share(parts, np.ones(5))] == [0, 1]
    assert ALONE.tell("so") == "so"
    assert not is_follower()
