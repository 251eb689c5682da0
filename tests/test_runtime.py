"""Runtime: the device that was asked for or a clear no."""

import gc
import os
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from limbeck import runtime
from limbeck.errors import SettingsError
from limbeck.runtime import keep_what_is_loaded


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


def test_threads_are_set_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number that was asked for is what torch, engines and tokenizers use; below 1 is refused."""
    before = torch.get_num_threads()
    monkeypatch.setenv("RAYON_NUM_THREADS", "7")
    try:
        assert runtime.set_threads(1) == runtime.allowed_threads() == 1
        assert os.environ["RAYON_NUM_THREADS"] == "1"
        assert runtime.set_threads() == runtime.allowed_threads() == runtime.usable_cores()
        with pytest.raises(SettingsError, match="at least 1"):
            runtime.set_threads(0)
    finally:
        torch.set_num_threads(before)


@pytest.fixture
def cgroups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Control groups of a machine of eight cores, none of which has a quota yet."""
    monkeypatch.setattr(runtime, "_CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(runtime, "_OWN_CGROUPS", tmp_path / "own")
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(8)), raising=False)
    return tmp_path / "cgroup"


def write_all(files: dict[str, str], folder: Path) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content + "\n")


SLICE = "0::/user.slice/app.service"
DOCKER = "12:memory:/docker/1\n4:cpu,cpuacct:/docker/1\n1:name=systemd:/docker/1"


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/", {"cpu.max": "150000 100000"}, 2),
        ("0::/", {"cpu.max": "100000 100000"}, 1),
        ("0::/", {"cpu.max": "5000 100000"}, 1),
        ("0::/", {"cpu.max": "max 100000"}, 8),
        ("0::/", {"cpu.max": "9900000 100000"}, 8),
        ("0::/", {"cpu.max": ""}, 8),
        ("0::/", {"cpu.max": "100000 0"}, 8),
        (None, {"cpu.max": "200000 100000"}, 2),
        (None, {}, 8),
        (SLICE, {"user.slice/app.service/cpu.max": "300000 100000", "user.slice/cpu.max": "max 100000"}, 3),
        (SLICE, {"user.slice/app.service/cpu.max": "300000 100000", "user.slice/cpu.max": "200000 100000"}, 2),
        ("0::/docker/1", {"cpu.max": "200000 100000"}, 2),  # inside, the group's path is that of the outside
        (DOCKER, {"cpu,cpuacct/cpu.cfs_quota_us": "250000", "cpu,cpuacct/cpu.cfs_period_us": "100000"}, 3),
        (DOCKER, {"cpu/docker/1/cpu.cfs_quota_us": "50000", "cpu/docker/1/cpu.cfs_period_us": "50000"}, 1),
        (DOCKER, {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 8),
        (DOCKER, {"memory/docker/1/cpu.cfs_quota_us": "100000", "memory/docker/1/cpu.cfs_period_us": "100000"}, 8),
        ("garbage\n\n:::", {"cpu.max": "200000 100000"}, 2),
    ],
)
def test_a_quota_limits_the_cores(
    cgroups: Path, tmp_path: Path, own: str | None, files: dict[str, str], expected: int
) -> None:
    """Of a container or a slice, by control groups of version 1 or 2, of its own or of one above; the least counts."""
    if own is not None:
        (tmp_path / "own").write_text(own + "\n")
    write_all(files, cgroups)
    assert runtime.usable_cores() == expected


@pytest.mark.parametrize(
    ("quota", "told", "expected"),
    [
        ("200000 100000", None, "2"),
        ("max 100000", None, None),
        ("200000 100000", "1", "1"),
        ("200000 100000", "6", "6"),
    ],
)
def test_libraries_start_no_more_threads_than_the_quota(
    cgroups: Path, monkeypatch: pytest.MonkeyPatch, quota: str, told: str | None, expected: str | None
) -> None:
    """Eight cores under a quota of two compute with two threads, unless somebody said how many."""
    write_all({"cpu.max": quota}, cgroups)
    environment = {} if told is None else {"OMP_NUM_THREADS": told}
    monkeypatch.setattr("os.environ", environment)
    before = torch.get_num_threads()
    try:
        runtime.honour_quota()
        assert environment.get("OMP_NUM_THREADS") == expected
        assert runtime.count_threads() == (2 if expected == "2" else before)
    finally:
        torch.set_num_threads(before)


def test_every_command_honours_the_quota(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It is done before any command runs."""
    from limbeck.__main__ import main

    done: list[bool] = []
    monkeypatch.setattr(runtime, "honour_quota", lambda: done.append(True))
    monkeypatch.setattr("sys.argv", ["limbeck", "--version"])
    with pytest.raises(SystemExit):
        main()
    assert done == [True]


@pytest.mark.parametrize(
    ("kind", "supported", "expected"), [("cuda", True, True), ("cuda", False, False), ("mps", True, False)]
)
def test_bfloat16_is_asked_of_the_card(
    monkeypatch: pytest.MonkeyPatch, kind: str, supported: bool, expected: bool
) -> None:
    """A card without units for it, which would emulate it, computes in float32."""
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda *, including_emulation: supported or including_emulation
    )
    assert runtime.has_bf16(kind) == expected


@pytest.mark.parametrize(
    ("system", "flags", "expected"),
    [
        ("linux", {"avx512_bf16", "amx_bf16", "avx512_vnni"}, (True, True, True)),
        ("linux", {"avx2"}, (False, False, False)),
        ("linux", {"asimd", "bf16", "i8mm"}, (True, False, True)),
        ("darwin", {"asimd", "bf16", "i8mm"}, (False, False, True)),
        ("linux", set(), (False, False, False)),
    ],
)
def test_cpu_flags_decide_what_is_offered(
    monkeypatch: pytest.MonkeyPatch, system: str, flags: set[str], expected: tuple[bool, bool, bool]
) -> None:
    """What the system names; torch computes in bfloat16 only where it is known to do it well."""
    monkeypatch.setattr(runtime, "cpu_flags", lambda: frozenset(flags))
    monkeypatch.setattr(runtime.sys, "platform", system)
    found = runtime.cpu_features()
    assert (found.bf16, found.amx, found.int8) == expected


def test_versions_name_what_decides_results() -> None:
    """Provenance has Python, limbeck and each library; one that is absent is said to be."""
    versions = runtime.library_versions()
    assert versions["torch"] == torch.__version__
    assert {"python", "limbeck", "tokenizers", "numpy", "scipy"} <= versions.keys()


def test_what_is_loaded_is_not_looked_through_for_garbage() -> None:
    """What there is when a service begins is passed over from then on; what comes later is not."""
    before = gc.get_freeze_count()
    try:
        keep_what_is_loaded()
        assert gc.get_freeze_count() > before + 1_000
        later: list[object] = []
        later.append(later)
        assert any(one is later for one in gc.get_objects())
        assert not any(one is gc for one in gc.get_objects())
    finally:
        gc.unfreeze()


def test_a_full_disk_keeps_no_library_from_being_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch asks for a folder of temporary files when it is imported, and Python finds none that takes a byte."""

    def none() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_get_default_tempdir", none)
    runtime.tolerate_full_disk()
    assert tempfile.gettempdir() == os.curdir


@pytest.mark.parametrize(
    ("major", "hip", "has_flash"), [(8, None, True), (9, None, True), (7, None, False), (9, "6.4", False)]
)
def test_a_gpu_is_known_by_what_it_can_do(
    monkeypatch: pytest.MonkeyPatch,
    major: int,
    hip: str | None,
    has_flash: bool,
) -> None:
    """Variable-length attention is NVIDIA's from compute capability 8.0; a CPU or Apple's GPU is none."""
    about = SimpleNamespace(name="a GPU", total_memory=2**34, major=major)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: about)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_given: major >= 8)
    monkeypatch.setattr(torch.version, "hip", hip)
    found = runtime.gpu_features(torch.device("cuda"))
    assert found == runtime.GpuFeatures(name="a GPU", memory_bytes=2**34, bf16=major >= 8, has_flash=has_flash)
    assert runtime.gpu_features(torch.device("cpu")) is None
    assert runtime.gpu_features(torch.device("mps")) is None
