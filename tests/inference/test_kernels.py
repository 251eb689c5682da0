"""The compiled kernels are found, built once, and their absence is said, never hidden."""

import subprocess
from pathlib import Path

import pytest

from limbeck.inference import kernels
from limbeck.inference.kernels import ENCODER, Kernels, NoKernels, build_library, find_kernels


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each test look anew."""
    monkeypatch.setattr(kernels, "_KNOWN", {})


def test_a_cpu_without_matrix_units_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The reason says what the CPU lacks."""
    monkeypatch.setattr(kernels, "cpu_flags", lambda: kernels.CPU_FLAGS - {"amx_bf16"})
    monkeypatch.setattr(kernels.sys, "platform", "linux")
    monkeypatch.setattr(kernels.platform, "machine", lambda: "x86_64")
    assert find_kernels(tmp_path) == NoKernels(reason="this CPU lacks amx_bf16")


def test_another_system_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only Linux on x86-64 has them."""
    monkeypatch.setattr(kernels.sys, "platform", "darwin")
    found = find_kernels(tmp_path)
    assert isinstance(found, NoKernels)
    assert "this is darwin" in found.reason


def test_no_compiler_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A compiler is never required."""
    _pretend_cpu(monkeypatch)
    monkeypatch.setattr(kernels.shutil, "which", lambda name: None)
    found = find_kernels(tmp_path)
    assert found == NoKernels(reason="no C++ compiler was found (looked for c++, g++, clang++)")


def test_a_compiler_that_fails_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What the compiler said is in the reason, and nothing is left behind."""
    _pretend_cpu(monkeypatch)
    broken = tmp_path / "c++"
    broken.write_text('#!/bin/sh\n[ "$1" = --version ] && exit 0\necho "encoder.cpp:1: no such flag" >&2\nexit 1\n')
    broken.chmod(0o755)
    monkeypatch.setattr(kernels.shutil, "which", lambda name: str(broken))
    found = find_kernels(tmp_path / "cache")
    assert found == NoKernels(reason="building them failed: encoder.cpp:1: no such flag")
    assert not list((tmp_path / "cache").rglob("*.so"))


def test_a_second_process_finds_what_the_first_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same sources, flags and compiler are compiled once."""
    found = find_kernels(tmp_path)
    if isinstance(found, NoKernels):
        pytest.skip(f"no kernels here: {found.reason}")
    compiler = next(filter(None, map(kernels.shutil.which, kernels.COMPILERS)))
    ran: list[list[str]] = []

    def note(command: list[str]) -> bytes:
        ran.append(command)
        return subprocess.run(command, capture_output=True, check=True).stdout

    monkeypatch.setattr(kernels, "_run", note)
    again = build_library(ENCODER, compiler, found.path.parent)
    assert isinstance(again, Kernels)
    assert again.path == found.path
    assert ran == [[compiler, "--version"]]


def _pretend_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "cpu_flags", lambda: kernels.CPU_FLAGS)
    monkeypatch.setattr(kernels.sys, "platform", "linux")
    monkeypatch.setattr(kernels.platform, "machine", lambda: "x86_64")
