"""The machine at hand: device, threads, seeds, what this CPU can do, and which versions run on it.

In: settings. Out: torch devices and plain facts. torch is imported only when a function needs it.
It does not know models or data.
"""

import gc
import math
import os
import platform
import sys
import tempfile
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from limbeck.errors import SettingsError
from limbeck.processor import cpu_flags, cpu_name
from limbeck.settings import Device

if TYPE_CHECKING:
    import torch

VERSIONED_LIBRARIES = ("limbeck", "torch", "tokenizers", "safetensors", "numpy", "scipy", "pyarrow")
"""Whose versions are part of a model's provenance."""
_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUPS = Path("/proc/self/cgroup")
_THREADS = "OMP_NUM_THREADS"
_TOKENIZER_THREADS = "RAYON_NUM_THREADS"
_given_threads: int | None = None
"""What `set_threads` was told."""


@dataclass(frozen=True, kw_only=True)
class CpuFeatures:
    """What the CPU can do.

    Attributes:
        name: as the system calls it.
        cores: that this process may use.
        bf16: multiplies bfloat16 matrices in hardware (AVX512-BF16, AMX, or Arm's BF16), and torch is known to use it:
            on Linux.
        amx: has Intel's matrix units for bfloat16.
        int8: multiplies 8-bit integers in hardware (VNNI or AMX).
        capability: the instruction set that torch uses ("AVX512", "AVX2", "DEFAULT", …).
    """

    name: str
    cores: int
    bf16: bool
    amx: bool
    int8: bool
    capability: str


@dataclass(frozen=True, kw_only=True)
class GpuFeatures:
    """What a GPU can do.

    Attributes:
        name: as its driver calls it.
        memory_bytes: all of its memory, free or not.
        bf16: multiplies bfloat16 matrices in hardware.
        has_flash: torch's variable-length attention runs on it: of NVIDIA's, from compute capability 8.0.
    """

    name: str
    memory_bytes: int
    bf16: bool
    has_flash: bool


def choose_device(device: Device = "auto") -> "torch.device":
    """Return the torch device of a setting; "auto" is CUDA, else MPS, else the CPU.

    Raises:
        SettingsError: the device that was asked for is not on this machine.
    """
    import torch

    present = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if device == "auto":
        return torch.device(next(name for name, is_present in present.items() if is_present))
    if not present.get(device, False):
        known = ", ".join(name for name, is_present in present.items() if is_present)
        raise SettingsError(
            f"device = {device!r} is not on this machine, or this torch cannot use it; there is: {known}"
        )
    return torch.device(device)


def has_bf16(kind: str) -> bool:
    """Tell whether a kind of device ("cpu", "cuda", "mps") multiplies bfloat16 matrices in hardware."""
    import torch

    if kind == "cpu":
        return cpu_features().bf16
    return kind == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def gpu_features(device: "torch.device") -> GpuFeatures | None:
    """Tell what a GPU can do; None of the CPU, and of Apple's GPU, of which torch tells nothing."""
    import torch

    if device.type != "cuda":
        return None
    about = torch.cuda.get_device_properties(device)
    is_nvidia = torch.version.hip is None
    return GpuFeatures(
        name=about.name,
        memory_bytes=about.total_memory,
        bf16=has_bf16("cuda"),
        has_flash=is_nvidia and about.major >= 8,
    )


def set_threads(threads: int | None = None) -> int:
    """Set how many threads this process computes with, and return the number.

    Torch obeys at once, native engines that are opened afterwards, and tokenizers where none has worked yet.

    Args:
        threads: the number; as many as there are usable cores when not given.

    Raises:
        SettingsError: the number is below 1.
    """
    global _given_threads  # noqa: PLW0603  # threads belong to a process, as torch's do
    import torch

    if threads is not None and threads < 1:
        raise SettingsError(f"threads = {threads} is not possible: give at least 1")
    _given_threads = threads
    if threads is not None:
        os.environ[_TOKENIZER_THREADS] = str(threads)
    torch.set_num_threads(allowed_threads())
    return torch.get_num_threads()


def allowed_threads() -> int:
    """Return how many threads may compute: those that `set_threads` was told, else one for each usable core.

    A process that is bound to its cores needs to be told nothing. One that is not (of Ray, of Spark) has a share of a
    machine whose cores it all sees.
    """
    return _given_threads or usable_cores()


def honour_quota() -> None:
    """Let no library start more threads than a container's quota has cores; to be called before torch is imported.

    Threads that wait for each other would spend the quota on waiting. Where there is no quota, and where the person or
    torchrun set OMP_NUM_THREADS, everything stays as it is.
    """
    cores = usable_cores()
    if _THREADS in os.environ or cores >= _affine_cores():
        return
    os.environ[_THREADS] = str(cores)
    if "torch" in sys.modules:
        set_threads()


def tolerate_full_disk() -> None:
    """Let torch be imported where no temporary file can be written, for which it asks; to be called before that."""
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        tempfile.tempdir = os.curdir


def usable_cores() -> int:
    """Return the number of cores that this process may use: its affinity, and the quota of a container or a slice."""
    quotas = [quota for folder in _cgroup_folders() if (quota := _quota_of(folder)) is not None]
    return max(1, min([_affine_cores(), *map(math.ceil, quotas)]))


def _affine_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cgroup_folders() -> set[Path]:
    """Return the folders of the control groups that this process is in, and of those above them; of versions 1 and 2.

    Inside a container its own group is the topmost folder, whatever its path outside is.
    """
    try:
        lines = _OWN_CGROUPS.read_text("utf-8").splitlines()
    except OSError:
        lines = []
    folders = {_CGROUPS}
    for line in ("0::/", "1:cpu:/", *lines):
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and "cpu" not in controllers.split(","):
            continue
        for top in (_CGROUPS / controllers, _CGROUPS / "cpu") if controllers else (_CGROUPS, _CGROUPS / "unified"):
            own = Path(path.strip("/"))
            folders |= {top / above for above in (own, *own.parents)}
    return folders


def _quota_of(folder: Path) -> float | None:
    """Return the cores that a control group may use; None where it has no quota."""
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text().split()
        else:
            quota, period = ((folder / name).read_text().strip() for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us"))
        # "max" of version 2 and -1 of version 1 mean none.
        return int(quota) / int(period) if int(quota) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None


def cpu_features() -> CpuFeatures:
    """Tell what the CPU can do, from what the system and torch say."""
    import torch

    flags = cpu_flags()
    return CpuFeatures(
        name=cpu_name(),
        cores=usable_cores(),
        bf16=sys.platform == "linux" and bool(flags & {"avx512_bf16", "amx_bf16", "bf16"}),
        amx="amx_bf16" in flags,
        int8=bool(flags & {"avx512_vnni", "avx_vnni", "amx_int8", "i8mm"}),
        capability=torch.backends.cpu.get_cpu_capability(),
    )


def count_threads() -> int:
    """Return with how many threads torch computes: the same number gives the same bits."""
    import torch

    return torch.get_num_threads()


def release_free_memory() -> None:
    """Give memory that was freed back to the system, where the C library can be asked to (glibc).

    Arrays of many sizes leave holes in its heap, which it keeps; a long training would grow by them.
    """
    import ctypes

    if platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)


def keep_what_is_loaded() -> None:
    """Let the search for garbage pass over all objects that there are now; for a process that serves from now on.

    Modules and models are hundreds of thousands of objects; looking through them stops every request for some 0.1 s.
    """
    gc.collect()
    gc.freeze()


def library_versions() -> dict[str, str]:
    """Return the version of Python and of each library that decides results, for a model's provenance."""
    versions = {"python": platform.python_version()}
    for name in VERSIONED_LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def is_follower() -> bool:
    """Tell whether this process is one of several, and not the one that writes and speaks."""
    return is_one_of_many() and os.environ.get("RANK") != "0"


def is_one_of_many() -> bool:
    """Tell whether torchrun started this process and others: it says so by these names, and there is no other way."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and "RANK" in os.environ
