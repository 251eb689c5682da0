"""The library of an instruction set is found: it came with limbeck, was compiled before, or is compiled now.

In: this machine's CPU and, at most, its C++ compiler. Out: loaded kernels, or the reason why there are none. A compiler
is never required: the engines in plain torch do the work where there is nothing else. A library is only opened where
the CPU has all that it needs: what is compiled for others may end a process when it is loaded.
It does not know encoders or texts, and does not choose among libraries by their speed.
"""

import ctypes
import hashlib
import json
import os
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path

from limbeck.errors import SettingsError, StorageError
from limbeck.folder_lock import patient_lock
from limbeck.native.building import (
    COMPILE_TIMEOUT_S,
    COMPILERS,
    SHIPPED,
    SHIPPED_LIST,
    SUFFIX,
    BuildRecipe,
    build_recipe_of,
    compile_library,
    find_compilers,
    name_compiler,
)
from limbeck.native.instruction_sets import LIBRARIES, Library
from limbeck.native.kernels import Kernels, NoKernels, Origin, describe
from limbeck.processor import ARM, X86, cpu_flags, machine
from limbeck.progress import SILENT, Progress
from limbeck.storage import write_bytes

FORCED = "LIMBECK_KERNELS"
"""The name of an instruction set in the environment, which then is used and no other."""
_SHOWN_CHARACTERS = 400
_SHOWN_DIGITS = 20
"""Of a digest, in the name of a file."""
_ANY = "*"
"""Whatever compiler built it."""
_KNOWN: dict[tuple[str, Path | None], Kernels | NoKernels] = {}
"""What was found in this process; a machine does not change meanwhile."""


def library_named(name: str) -> Library:
    """Return a row of the table.

    Raises:
        SettingsError: there is no such instruction set.
    """
    for library in LIBRARIES:
        if library.name == name:
            return library
    raise SettingsError(f"kernels {name!r} are not known: there are {', '.join(one.name for one in LIBRARIES)}")


def why_not_usable(library: Library) -> str | None:
    """Return what keeps this machine from running a library; nothing when it can."""
    if machine() not in library.machines:
        return f"{library.name} is for {' and '.join(sorted(library.machines))}; this is {machine()}"
    missing = sorted(library.cpu_flags - cpu_flags())
    return f"this CPU lacks {', '.join(missing)}" if missing else None


def known_flags() -> tuple[str, ...]:
    """Return what this CPU has of all that libraries ask for."""
    return tuple(sorted(cpu_flags() & frozenset().union(*(library.cpu_flags for library in LIBRARIES))))


def usable_libraries() -> tuple[Library, ...]:
    """Return the libraries that this CPU can run, best first; the slow references are the last."""
    return tuple(library for library in LIBRARIES if why_not_usable(library) is None)


def candidate_libraries() -> tuple[Library, ...]:
    """Return the libraries that may do a user's work here, best first.

    Raises:
        SettingsError: the environment forces one that is not known, or that this CPU cannot run; the message says why.
    """
    if name := os.environ.get(FORCED):
        forced = library_named(name)
        if reason := why_not_usable(forced):
            raise SettingsError(f"{FORCED}={name} cannot be used: {reason}")
        return (forced,)
    return tuple(library for library in usable_libraries() if not library.is_reference)


def find_kernels(cache_dir: Path | None = None, progress: Progress = SILENT) -> Kernels | NoKernels:
    """Return the kernels of the best instruction set here, compiled where they have to be, or why there are none.

    Args:
        cache_dir: where libraries are kept; the user's cache folder when not given.
        progress: is told when something is compiled.

    Raises:
        SettingsError: the environment forces an instruction set that cannot be used.
    """
    candidates = candidate_libraries()
    reasons: list[str] = []
    for library in candidates:
        found = find_library(library.name, cache_dir, progress)
        if isinstance(found, Kernels):
            return found
        reasons.append(found.reason)
    if candidates and os.environ.get(FORCED):
        raise SettingsError(f"{FORCED}={candidates[0].name} cannot be used: {reasons[0]}")
    return NoKernels(reason=reasons[0] if reasons else _why_no_candidate())


def _why_no_candidate() -> str:
    """Say what the least demanding library lacks."""
    for library in reversed(LIBRARIES):
        if machine() in library.machines and not library.is_reference:
            return why_not_usable(library) or ""
    return f"they are for {X86} and {ARM}; this is {machine()}"


def find_library(name: str, cache_dir: Path | None = None, progress: Progress = SILENT) -> Kernels | NoKernels:
    """Return the kernels of an instruction set, compiled on first use where they have to be, or why there are none.

    Args:
        name: of the instruction set.
        cache_dir: where libraries are kept; the user's cache folder when not given.
        progress: is told when something is compiled.

    Raises:
        SettingsError: there is no such instruction set.
    """
    key = (name, cache_dir)
    if key not in _KNOWN:
        _KNOWN[key] = _look(library_named(name), cache_dir, progress)
    return _KNOWN[key]


def _look(library: Library, cache_dir: Path | None, progress: Progress) -> Kernels | NoKernels:
    if reason := why_not_usable(library):
        return NoKernels(reason=reason)
    found = find_built(build_recipe_of(library), cache_dir, progress)
    if isinstance(found, NoKernels):
        return found
    about = describe(found.library)
    if isinstance(about, NoKernels):
        return about
    return Kernels(
        library=found.library,
        name=library.name,
        path=found.path,
        origin=found.origin,
        digest=found.digest,
        about=about,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class FoundLibrary:
    """A library that was loaded; its functions are not described yet.

    Attributes:
        library: its functions.
        path: where it is kept.
        origin: it came with limbeck, or was compiled on this machine.
        digest: SHA-256 of its bytes: compilers that build from the same sources differ in speed, and may in rounding.
    """

    library: ctypes.CDLL
    path: Path
    origin: Origin
    digest: str


def find_built(
    recipe: BuildRecipe, cache_dir: Path | None = None, progress: Progress = SILENT
) -> FoundLibrary | NoKernels:
    """Load the library of a recipe: it came with limbeck, was compiled before, or is compiled now; or say why not.

    Args:
        recipe: how it is built.
        cache_dir: where libraries are kept; the user's cache folder when not given.
        progress: is told when something is compiled.
    """
    folder = (cache_dir or user_cache_path("limbeck")) / "kernels"
    try:
        found = find_shipped(recipe) or build_library(recipe, folder, progress)
    except (StorageError, OSError, subprocess.SubprocessError) as error:
        return NoKernels(reason=f"building {recipe.name} failed: {_short(error)}")
    return found or NoKernels(reason=f"no C++ compiler was found (looked for $CXX, {', '.join(COMPILERS)}, ziglang)")


def find_shipped(recipe: BuildRecipe) -> FoundLibrary | None:
    """Load the library that came with limbeck; None when there is none, or it is not whole, or of other sources."""
    path = SHIPPED / f"{recipe.name}{SUFFIX}"
    try:
        listed = json.loads((SHIPPED / SHIPPED_LIST).read_bytes())[recipe.name]
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if listed["digest"] != recipe.digest() or listed["sha256"] != digest:
            return None
        return FoundLibrary(library=ctypes.CDLL(str(path)), path=path, origin="wheel", digest=digest)
    except (OSError, ValueError, LookupError, TypeError):
        return None


def build_library(recipe: BuildRecipe, folder: Path, progress: Progress = SILENT) -> FoundLibrary | None:
    """Load what these sources, flags and compiler gave before, or compile it; None when no compiler is there.

    Of several processes that need it at once one compiles and the others wait. A library that is damaged, or that
    this system cannot load, is compiled anew.

    Args:
        recipe: what to build.
        folder: where libraries are kept, by what they are built from, and by which compiler.
        progress: is told when something is compiled.

    Raises:
        StorageError: the folder cannot be written.
        OSError: the library that was just compiled cannot be loaded.
        SubprocessError: the compiler refused the sources or took too long.
    """
    stem = f"{recipe.name}-{recipe.digest()[:_SHOWN_DIGITS]}-"
    compilers = find_compilers()
    # Where there is no compiler now, whatever another one built does.
    names = [name_compiler(compiler) for compiler in compilers] or [_ANY]
    found = _built_before(folder, stem, names)
    if found is not None or not compilers:
        return found
    with ExitStack() as stack:
        # Where there are no locks, or another process takes too long, two compile beside each other: files are whole.
        with suppress(StorageError):
            stack.enter_context(patient_lock(folder, patience_s=COMPILE_TIMEOUT_S))
        found = _built_before(folder, stem, names)
        if found is not None:
            return found
        progress.say(f"compiling {recipe.name} for this CPU: once, some seconds")
        try:
            built = compile_library(recipe, compilers)
        except (OSError, subprocess.SubprocessError):
            # What another compiler built serves where this one cannot.
            found = _built_before(folder, stem, [_ANY])
            if found is None:
                raise
            return found
        digest = hashlib.sha256(built.content).hexdigest()
        path = folder / f"{stem}{built.compiler}-{digest[:_SHOWN_DIGITS]}{SUFFIX}"
        write_bytes(path, built.content)
    return FoundLibrary(library=ctypes.CDLL(str(path)), path=path, origin="compiled", digest=digest)


def _built_before(folder: Path, stem: str, compilers: Sequence[str]) -> FoundLibrary | None:
    """Load what one of these compilers built before; None when nothing is whole and can be loaded by this system."""
    for path in (path for name in compilers for path in sorted(folder.glob(f"{stem}{name}-*{SUFFIX}"))):
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            # One that was cut short would end this process, not only fail.
            if path.stem.endswith(f"-{digest[:_SHOWN_DIGITS]}"):
                return FoundLibrary(library=ctypes.CDLL(str(path)), path=path, origin="compiled", digest=digest)
        except OSError:
            continue
    return None


def _short(error: Exception) -> str:
    said = error.stderr.decode(errors="replace") if isinstance(error, subprocess.CalledProcessError) else str(error)
    return " ".join(said.split())[:_SHOWN_CHARACTERS]
