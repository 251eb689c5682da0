"""The team and the crew that compute together, without what they compute."""

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest
from tests.libraries import CACHE_HOME

from limbeck.native import kernels
from limbeck.native.building import SOURCES, BuildRecipe
from limbeck.native.libraries import FoundLibrary, build_library

TEAM = """
#include "isa_portable.hpp"
#include "team.hpp"
extern "C" int gather(int size, int* seen) {
  limbeck::Meeting meeting;
  return limbeck::with_team(size, [&](int rank) {
    limbeck::Team team{rank, size, &meeting};
    team.meet();
    ++seen[rank];
  });
}
"""


CREW = """
#include "isa_portable.hpp"
#include <chrono>
#include "crew.hpp"
extern "C" int share_out(int size, int count, int* done_by) {
  limbeck::Board board;
  std::atomic<int> begun{0}, done{0};
  return limbeck::with_team(size, [&](int rank) {
    limbeck::Member member{{rank, size, &board.meeting}, &board};
    member.each(count, [&](int task) {
      done_by[task] = rank;
      const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
      if (begun.fetch_add(1) == 0)
        while (done.load() < count - 1 && std::chrono::steady_clock::now() < end) limbeck::offer_core();
      ++done;
    });
  });
}
"""


def built(name: str, source: str, folder: Path) -> FoundLibrary:
    """Compile a source beside the kernels' own headers, once for all runs."""
    main = folder / f"{name}.cpp"
    main.write_text(source)
    flags = ("-std=c++17", "-shared", "-fPIC", "-pthread")
    recipe = BuildRecipe(name=name, sources=(main,), headers=(SOURCES,), flags=flags)
    found = build_library(recipe, CACHE_HOME / "limbeck" / "kernels")
    assert found is not None
    return found


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory, compiler: str) -> FoundLibrary:
    """The team that computes together, without what it computes."""
    return built("team", TEAM, tmp_path_factory.mktemp("team"))


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 2, 7])
def test_a_team_is_all_there(team: FoundLibrary, size: int) -> None:
    """Every member works once."""
    seen = (ctypes.c_int * size)()
    assert team.library.gather(size, seen) == 0
    assert list(seen) == [1] * size


@pytest.mark.slow
def test_threads_that_cannot_be_had_are_an_answer(team: FoundLibrary) -> None:
    """Where the system gives no more threads nothing is computed and nobody waits; the process lives on."""
    program = (
        "import ctypes, resource, sys\n"
        "library = ctypes.CDLL(sys.argv[1])\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 2**26, used + 2**26))\n"
        "seen = (ctypes.c_int * 500)()\n"
        "print(library.gather(500, seen), sum(seen), library.gather(1, seen), sum(seen))"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(team.path)], capture_output=True, text=True, check=True)
    answer, *rest = ended.stdout.split()
    assert int(answer) in (kernels.NO_MEMORY, kernels.NO_THREADS)
    assert rest == ["0", "0", "1"]


KEPT = """
import ctypes, os, sys, threading
library = ctypes.CDLL(sys.argv[1])

def gather(size):
    seen = (ctypes.c_int * size)()
    assert library.gather(size, seen) == 0
    return list(seen) == [1] * size

assert all(gather(size) for size in (2, 5, 3, 1, 4) for _ in range(50))
answers = []
callers = [threading.Thread(target=lambda: answers.append(all(gather(3) for _ in range(50)))) for _ in range(4)]
for caller in callers:
    caller.start()
for caller in callers:
    caller.join()
assert answers == [True] * 4
child = os.fork()
if child == 0:
    os._exit(0 if all(gather(3) for _ in range(50)) else 1)
assert os.waitpid(child, 0)[1] == 0
print("fine")
"""


@pytest.mark.slow
def test_threads_that_are_kept_serve_every_caller(team: FoundLibrary) -> None:
    """Teams of any size in turn, several callers at once, a process that was forked: nobody waits forever."""
    words = [sys.executable, "-c", KEPT, str(team.path)]
    ended = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    assert ended.stdout.strip() == "fine"


@pytest.mark.slow
@pytest.mark.usefixtures("compiler")
def test_a_slow_core_takes_fewer_tasks(tmp_path: Path) -> None:
    """A training step's tasks are taken from a counter: here the first is not done before all others are."""
    found = built("crew", CREW, tmp_path)
    done_by = (ctypes.c_int * 40)()
    assert found.library.share_out(3, len(done_by), done_by) == 0
    assert list(done_by).count(done_by[0]) == 1
