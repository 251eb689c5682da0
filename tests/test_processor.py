"""What the CPU can do, as three systems tell it; stand-ins for those that are not at hand."""

import ctypes
import platform
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from limbeck import processor
from limbeck.native.building import SOURCES
from limbeck.native.instruction_sets import LIBRARIES


@pytest.fixture
def facts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Linux's file of the CPU's facts, not there yet."""
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(processor, "_CPU_FACTS", tmp_path / "cpuinfo")
    return tmp_path / "cpuinfo"


@pytest.mark.parametrize(
    ("content", "flags", "name"),
    [
        ("model name\t: Some CPU\nflags\t\t: fpu avx2 fma\n", {"fpu", "avx2", "fma"}, "Some CPU"),
        ("processor\t: 0\nFeatures\t: fp asimd aes bf16\n", {"fp", "asimd", "aes", "bf16"}, None),
        ("flags : avx2\nvmx flags : ept\nflags : fma\n", {"avx2", "fma"}, None),
        ("", set(), None),
        (None, set(), None),
    ],
)
def test_linux_writes_them_in_a_file(facts: Path, content: str | None, flags: set[str], name: str | None) -> None:
    """Of x86 and of Arm, which call the line by another name; a file that is not there names nothing."""
    if content is not None:
        facts.write_text(content)
    assert processor.cpu_flags() == flags
    assert processor.cpu_name() == (name or platform.processor() or platform.machine())


class Sysctl:
    """macOS's numbers by name."""

    def __init__(self, **numbers: int) -> None:
        self._numbers = {name.replace("__", "."): number for name, number in numbers.items()}

    def sysctlbyname(self, name: bytes, value, size, _new: None, _new_size: ctypes.c_size_t) -> int:
        """Answer as macOS does: -1 for a name that it does not know."""
        number = self._numbers.get(name.decode().removeprefix("hw.optional."))
        if number is None:
            return -1
        value._obj.value = number
        assert size._obj.value == 8
        return 0


@pytest.mark.parametrize(
    ("machine", "numbers", "flags"),
    [
        ("x86_64", {"avx2_0": 1, "fma": 1, "aes": 1, "avx512f": 0}, {"avx2", "fma", "aes"}),
        ("x86_64", {"avx2_0": 1, "fma": 1, "aes": 1, "avx512f": 1, "avx512vl": 1},
         {"avx2", "fma", "aes", "avx512f", "avx512vl"}),
        ("x86_64", {}, set()),
        ("arm64", {}, {"asimd", "aes"}),
        ("arm64", {"arm__FEAT_BF16": 0, "arm__FEAT_I8MM": 0}, {"asimd", "aes"}),
        ("arm64", {"arm__FEAT_BF16": 1, "arm__FEAT_I8MM": 1}, {"asimd", "aes", "bf16", "i8mm"}),
    ],
)  # fmt: skip
def test_macos_answers_by_name(
    monkeypatch: pytest.MonkeyPatch, machine: str, numbers: dict[str, int], flags: set[str]
) -> None:
    """A name that it does not know, or answers with 0, is none; Apple's own processors all have NEON and AES."""
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(processor, "_system", lambda: Sysctl(**numbers))
    assert processor.cpu_flags() == flags


def cpuid(leaves: dict[tuple[int, int], tuple[int, int, int, int]], saved: int) -> SimpleNamespace:
    """A CPU that answers these registers."""

    def ask(leaf: int, subleaf: int, four) -> None:
        four[:] = leaves.get((leaf, subleaf), (0, 0, 0, 0))

    return SimpleNamespace(limbeck_cpuid=ask, limbeck_xgetbv=lambda: saved)


ALL = (2**32 - 1,) * 4
EVERYTHING = {(1, 0): ALL, (7, 0): ALL, (7, 1): ALL}
AVX = {"fma", "avx2", "vaes", "avx_vnni"}
AVX512 = {"avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512vbmi", "avx512_vnni", "avx512_bf16"}
TILES = {"amx_bf16", "amx_tile", "amx_int8"}


@pytest.mark.parametrize(
    ("leaves", "saved", "flags"),
    [
        (EVERYTHING, 0x600E7, {"aes"} | AVX | AVX512 | TILES),
        (EVERYTHING, 0xE7, {"aes"} | AVX | AVX512),
        (EVERYTHING, 0x7, {"aes"} | AVX),
        (EVERYTHING, 0x3, {"aes"}),
        ({(1, 0): ALL}, 0x600E7, {"aes", "fma"}),
        ({(1, 0): (0, 0, 1 << 25 | 1 << 12, 0), (7, 0): ALL}, 0x600E7, {"aes"}),  # the system saves no registers
        ({}, 0x600E7, set()),
    ],
)
def test_windows_asks_the_cpu_itself(leaves, saved: int, flags: set[str]) -> None:
    """An instruction set counts where the CPU has it and the system saves its registers."""
    assert processor.cpuid_flags(cpuid(leaves, saved)) == flags


def test_windows_without_the_library_knows_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is guessed: torch computes there."""
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    monkeypatch.setattr(processor, "_CPUID", tmp_path / "absent.dll")
    assert processor.cpu_flags() == frozenset()


def test_a_system_that_is_not_known_names_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is guessed."""
    monkeypatch.setattr(platform, "system", lambda: "FreeBSD")
    assert processor.cpu_flags() == frozenset()


def test_every_flag_of_x86_that_a_library_needs_can_be_asked_for() -> None:
    """Otherwise no Windows machine could ever use it."""
    needed = {flag for library in LIBRARIES if "x86_64" in library.machines for flag in library.cpu_flags}
    assert needed <= set(processor._CPUID_FLAGS)


def test_the_cpu_says_the_same_as_the_system(tmp_path: Path) -> None:
    """What Windows asks, compiled and asked here, agrees with what Linux writes of this very CPU."""
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if compiler is None or platform.machine() != "x86_64" or platform.system() != "Linux":
        pytest.skip("no C++ compiler, or not Linux on x86-64")
    library = tmp_path / "cpuid.so"
    subprocess.run([compiler, "-shared", "-fPIC", str(SOURCES / "cpuid.cpp"), "-o", str(library)], check=True)
    asked = processor.cpuid_flags(ctypes.CDLL(str(library)))
    assert asked == processor.cpu_flags() & set(processor._CPUID_FLAGS)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("x86_64", processor.X86),
        ("AMD64", processor.X86),
        ("aarch64", processor.ARM),
        ("arm64", processor.ARM),
        ("ARM64", processor.ARM),
        ("riscv64", "riscv64"),
    ],
)
def test_one_machine_has_one_name(monkeypatch: pytest.MonkeyPatch, name: str, expected: str) -> None:
    """Linux, macOS and Windows call the same machine by other names."""
    monkeypatch.setattr(platform, "machine", lambda: name)
    assert processor.machine() == expected
