"""The compiled kernels say what they are, and what they could not do becomes an error."""

import ctypes
from dataclasses import replace
from pathlib import Path

import pytest
from tests.native.conftest import stub_flags

from limbeck.errors import NoMemoryError
from limbeck.native import kernels
from limbeck.native.building import BuildRecipe
from limbeck.native.kernels import About, NoKernels, describe
from limbeck.native.libraries import FoundLibrary, build_library


def loaded(recipe: BuildRecipe, folder: Path) -> ctypes.CDLL:
    found = build_library(recipe, folder)
    assert isinstance(found, FoundLibrary)
    return found.library


def test_a_library_tells_what_it_is(stub: BuildRecipe, tmp_path: Path) -> None:
    """Sizes and arithmetic are the library's own; numbers of 64 bits come and go whole."""
    library = loaded(stub, tmp_path)
    assert describe(library) == About(chunk_tokens=192, width_step=32, score_unit=1.5, is_bf16=False)
    assert library.limbeck_peak(2**40) == 2.0**41
    assert library.limbeck_packed_bytes(2**20, 2**20) == 2**41


def test_a_library_of_another_version_is_not_used(stub: BuildRecipe, tmp_path: Path) -> None:
    """Its functions may want other things."""
    found = describe(loaded(replace(stub, flags=stub_flags(abi=2)), tmp_path))
    assert isinstance(found, NoKernels)
    assert "is of another version: remove it" in found.reason


def test_units_that_the_system_keeps_are_said(stub: BuildRecipe, tmp_path: Path) -> None:
    """The CPU has them, the system does not give them."""
    found = describe(loaded(replace(stub, flags=stub_flags(opened=1)), tmp_path))
    assert isinstance(found, NoKernels)
    assert "the system keeps the CPU's matrix units" in found.reason


def test_an_answer_becomes_an_error() -> None:
    """0 is fine; the rest is said with what to do."""
    kernels.require_done(0, doing="a batch of 5 tokens")
    with pytest.raises(NoMemoryError, match="no memory for a batch of 5 tokens: free some"):
        kernels.require_done(kernels.NO_MEMORY, doing="a batch of 5 tokens")
    with pytest.raises(NoMemoryError, match="no more threads for a batch of 5 tokens: raise the limit"):
        kernels.require_done(kernels.NO_THREADS, doing="a batch of 5 tokens")
