"""What the CPU can do, asked of the system: Linux, macOS and Windows each tell in their own way.

In: nothing. Out: instruction sets, as Linux names them, and the CPU's name.
It does not know what they are good for.
"""

import ctypes
import platform
import sys
from dataclasses import dataclass
from pathlib import Path

X86, ARM = "x86_64", "aarch64"
"""Machines, as Linux names them."""
_CPU_FACTS = Path("/proc/cpuinfo")
_CPUID = Path(__file__).parent / "native" / "lib" / "limbeck-cpuid.dll"
"""Windows names few instruction sets; this library, which comes with the wheel for it, asks the CPU itself."""
_SYSCTL_FLAGS = {
    **{f"hw.optional.{name}": name for name in ("fma", "aes")},
    **{f"hw.optional.{name}": name for name in ("avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512vbmi")},
    "hw.optional.avx2_0": "avx2",
    "hw.optional.arm.FEAT_BF16": "bf16",
    "hw.optional.arm.FEAT_I8MM": "i8mm",
}
"""macOS's names and Linux's."""
_APPLE_SILICON = frozenset(("asimd", "aes"))
"""What all of Apple's own processors have; macOS 11 does not name it."""


@dataclass(frozen=True)
class _Bit:
    """Where CPUID names an instruction set, and which registers the system must save for it (bits of XCR0)."""

    leaf: tuple[int, int]
    register: int
    bit: int
    saved: int = 0


_EAX, _EBX, _ECX, _EDX = range(4)
_AVX, _AVX512, _TILES = 0x6, 0xE6, 0x60000
_CPUID_FLAGS = {
    "aes": _Bit((1, 0), _ECX, 25),
    "fma": _Bit((1, 0), _ECX, 12, _AVX),
    "avx2": _Bit((7, 0), _EBX, 5, _AVX),
    "vaes": _Bit((7, 0), _ECX, 9, _AVX),
    "avx_vnni": _Bit((7, 1), _EAX, 4, _AVX),
    "avx512f": _Bit((7, 0), _EBX, 16, _AVX512),
    "avx512dq": _Bit((7, 0), _EBX, 17, _AVX512),
    "avx512bw": _Bit((7, 0), _EBX, 30, _AVX512),
    "avx512vl": _Bit((7, 0), _EBX, 31, _AVX512),
    "avx512vbmi": _Bit((7, 0), _ECX, 1, _AVX512),
    "avx512_vnni": _Bit((7, 0), _ECX, 11, _AVX512),
    "avx512_bf16": _Bit((7, 1), _EAX, 5, _AVX512),
    "amx_bf16": _Bit((7, 0), _EDX, 22, _TILES),
    "amx_tile": _Bit((7, 0), _EDX, 24, _TILES),
    "amx_int8": _Bit((7, 0), _EDX, 25, _TILES),
}
_SAVES_REGISTERS = _Bit((1, 0), _ECX, 27)


def machine() -> str:
    """Return the machine that this Python computes on, as Linux names it."""
    name = platform.machine()
    return {"AMD64": X86, "arm64": ARM, "ARM64": ARM}.get(name, name) if sys.maxsize > 2**32 else f"{name}, 32 bits"


def cpu_flags() -> frozenset[str]:
    """Return the instruction sets of this CPU, on x86 and Arm, that the system allows; none where it does not tell."""
    if platform.system() == "Linux":
        return _linux_flags()
    if platform.system() == "Darwin":
        apple = _APPLE_SILICON if platform.machine() == "arm64" else frozenset()
        return apple | {flag for name, flag in _SYSCTL_FLAGS.items() if _sysctl(name)}
    if platform.system() == "Windows" and _CPUID.exists():
        return cpuid_flags(ctypes.CDLL(str(_CPUID)))
    return frozenset()


def cpu_name() -> str:
    """Return what the system calls this CPU."""
    if platform.system() == "Linux":
        for key, value in _linux_facts():
            if key == "model name":
                return value
    return platform.processor() or platform.machine()


def cpuid_flags(library: ctypes.CDLL) -> frozenset[str]:
    """Return what an x86 CPU says of itself, as far as the system saves its registers.

    Args:
        library: what `native/cpuid.cpp` is compiled to.
    """
    known: dict[tuple[int, int], list[int]] = {}

    def has(bit: _Bit) -> bool:
        if bit.leaf not in known:
            four = (ctypes.c_uint32 * 4)()
            library.limbeck_cpuid(*bit.leaf, four)
            known[bit.leaf] = list(four)
        return bool(known[bit.leaf][bit.register] >> bit.bit & 1)

    saved = library.limbeck_xgetbv() if has(_SAVES_REGISTERS) else 0
    return frozenset(name for name, bit in _CPUID_FLAGS.items() if bit.saved & ~saved == 0 and has(bit))


def _linux_flags() -> frozenset[str]:
    lists = [value.split() for key, value in _linux_facts() if key in ("flags", "Features")]
    return frozenset(flag for flags in lists for flag in flags)


def _linux_facts() -> list[tuple[str, str]]:
    try:
        lines = _CPU_FACTS.read_text("utf-8").splitlines()
    except OSError:
        return []
    parted = (line.partition(":") for line in lines)
    return [(key.strip(), value.strip()) for key, _, value in parted]


def _sysctl(name: str) -> int:
    """Return a number that macOS knows by a name; 0 where it does not know it."""
    value, size = ctypes.c_int64(0), ctypes.c_size_t(8)
    answer = _system().sysctlbyname(name.encode(), ctypes.byref(value), ctypes.byref(size), None, ctypes.c_size_t(0))
    return value.value if answer == 0 else 0


def _system() -> ctypes.CDLL:
    return ctypes.CDLL(None)
