"""Runtime: the device that was asked for or a clear no."""

from pathlib import Path

import pytest
import torch

from limbeck import runtime
from limbeck.errors import SettingsError


def test_the_cpu_is_always_there() -> None:
    """Asking for the CPU gives the CPU."""
    assert runtime.choose_device("cpu") == torch.device("cpu")


def test_auto_takes_the_fastest_that_is_present(monkeypatch: pytest.MonkeyPatch) -> None:
    """CUDA before MPS before the CPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert runtime.choose_device("auto").type == "cpu"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert runtime.choose_device("auto").type == "mps"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert runtime.choose_device("auto").type == "cuda"


@pytest.mark.parametrize("device", ["cuda", "mps", "tpu"])
def test_an_absent_device_is_refused(monkeypatch: pytest.MonkeyPatch, device: str) -> None:
    """A device that is not there is no silent fallback to the CPU; the message names what there is."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(SettingsError, match=f"device = '{device}' is not on this machine.*there is: cpu"):
        runtime.choose_device(device)  # type: ignore[arg-type]


def test_threads_are_set_and_told() -> None:
    """The number that was asked for is what torch uses; below 1 is refused."""
    before = torch.get_num_threads()
    try:
        assert runtime.set_threads(1) == 1
        assert runtime.set_threads() == runtime.usable_cores()
        with pytest.raises(SettingsError, match="at least 1"):
            runtime.set_threads(0)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("quota", "expected"), [("150000 100000", 2), ("100000 100000", 1), ("max 100000", 4)])
def test_a_container_quota_limits_the_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quota: str, expected: int
) -> None:
    """Four cores under a quota of one and a half count as two."""
    (tmp_path / "cpu.max").write_text(quota + "\n")
    monkeypatch.setattr(runtime, "_CGROUP_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1, 2, 3}, raising=False)
    assert runtime.usable_cores() == expected


def test_cpu_flags_are_read_from_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What /proc/cpuinfo names decides what is offered."""
    facts = tmp_path / "cpuinfo"
    monkeypatch.setattr(runtime, "_CPU_FACTS", facts)
    facts.write_text("model name\t: Some CPU\nflags\t\t: fpu avx512_bf16 amx_bf16 avx512_vnni\n")
    found = runtime.cpu_features()
    assert (found.bf16, found.amx, found.int8) == (True, True, True)
    facts.write_text("model name\t: Old CPU\nflags\t\t: fpu avx2\n")
    found = runtime.cpu_features()
    assert (found.bf16, found.amx, found.int8) == (False, False, False)
    facts.unlink()
    assert not runtime.cpu_features().bf16


def test_versions_name_what_decides_results() -> None:
    """Provenance has Python, limbeck and each library; one that is absent is said to be."""
    versions = runtime.library_versions()
    assert versions["torch"] == torch.__version__
    assert {"python", "limbeck", "tokenizers", "numpy", "scipy"} <= versions.keys()
