"""The table of instruction sets."""

import subprocess
import sys
from pathlib import Path

import limbeck
from limbeck.native.instruction_sets import LIBRARIES
from limbeck.processor import ARM, X86


def test_every_row_is_told_apart() -> None:
    """No two have a name or the same flags of a compiler, but for the references, which are for any CPU."""
    assert len({one.name for one in LIBRARIES}) == len(LIBRARIES)
    fast = [one for one in LIBRARIES if not one.is_reference]
    assert len({one.flags for one in fast}) == len(fast)
    assert all(one.cpu_flags and one.flags for one in fast)
    for reference in LIBRARIES:
        if reference.is_reference:
            assert (reference.flags, reference.cpu_flags, reference.machines) == ((), frozenset(), {X86, ARM})


def test_the_better_one_asks_for_more() -> None:
    """So that a machine takes the first that it can run: none is hidden behind a later one that asks for the same."""
    for place, better in enumerate(LIBRARIES):
        for other in LIBRARIES[place + 1 :]:
            assert not better.cpu_flags < other.cpu_flags or other.machines != better.machines


def test_it_is_read_where_nothing_is_installed() -> None:
    """Wheels are built by a Python that has neither numpy nor torch nor any other package."""
    program = (
        f"import sys; sys.path.insert(0, {str(Path(limbeck.__file__).parents[1])!r})\n"
        "from limbeck.native import building, instruction_sets\n"
        "print(len(instruction_sets.LIBRARIES), building.build_recipe_of(instruction_sets.LIBRARIES[0]).name)"
    )
    ended = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == [str(len(LIBRARIES)), "limbeck-amx"]
