"""The compiled kernels: DistilBERT for CPUs with AMX, built from `encoder/` on first use.

In: this machine's CPU and C++ compiler. Out: a loaded library, or the reason why there is none. A compiler is never
required: without one the engines in plain torch do the work, and `limbeck doctor` says so. `find_library` builds other
sources in the same way.
It does not know encoders or texts.
"""

import ctypes
import hashlib
import platform
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path

from limbeck.errors import NoMemoryError, StorageError
from limbeck.progress import SILENT, Progress
from limbeck.runtime import cpu_flags
from limbeck.storage import patient_lock, write_bytes

ABI = 2
"""Version of the functions and structures below; the library must say the same."""
SOURCES = Path(__file__).parent / "encoder"
COMPILERS = ("c++", "g++", "clang++")
FLAGS = (
    *("-O3", "-std=c++17", "-shared", "-fPIC", "-pthread"),
    *("-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx512vbmi", "-mavx512bf16", "-mfma"),
    *("-mamx-tile", "-mamx-bf16"),
)
CPU_FLAGS = frozenset(
    ("avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512vbmi", "avx512_bf16", "amx_tile", "amx_bf16")
)
"""What the CPU must have, as Linux names it."""
COMPILE_TIMEOUT_S = 120
NO_MEMORY, NO_THREADS = 1, 2
"""What a function of the library answers when it did nothing; 0 when it did its work."""
_SHOWN_CHARACTERS = 400


@dataclass(frozen=True, kw_only=True)
class BuildRecipe:
    """How a library is built.

    Attributes:
        main: the source that includes the others.
        headers: folders whose sources it may include beside those of its own.
        flags: of the compiler.
        cpu_flags: what the CPU must have, as Linux names it.
    """

    main: Path
    headers: tuple[Path, ...] = ()
    flags: tuple[str, ...] = FLAGS
    cpu_flags: frozenset[str] = CPU_FLAGS


ENCODER = BuildRecipe(main=SOURCES / "encoder.cpp")


class NormArrays(ctypes.Structure):
    """Scale and shift of a layer norm."""

    _fields_ = (("scale", ctypes.c_void_p), ("shift", ctypes.c_void_p))


class LayerArrays(ctypes.Structure):
    """One layer: packed weights (bfloat16), biases and norms (float32)."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("qkv", "mix", "up", "down")),
        *((name, ctypes.c_void_p) for name in ("qkv_bias", "mix_bias", "up_bias", "down_bias")),
        ("norm1", NormArrays),
        ("norm2", NormArrays),
    )


class ModelArrays(ctypes.Structure):
    """An encoder: sizes, embeddings, layers."""

    _fields_ = (
        *((name, ctypes.c_int32) for name in ("dim", "n_heads", "hidden_dim", "n_layers", "gelu")),
        ("epsilon", ctypes.c_float),
        ("words", ctypes.c_void_p),
        ("positions", ctypes.c_void_p),
        ("norm", NormArrays),
        ("layers", ctypes.POINTER(LayerArrays)),
    )


class TextArrays(ctypes.Structure):
    """The texts of a chunk: rows of a `Tokenized`."""

    _fields_ = (
        ("ids", ctypes.c_void_p),
        ("offsets", ctypes.c_void_p),
        ("rows", ctypes.c_void_p),
        ("count", ctypes.c_int32),
    )


class FeatureArrays(ctypes.Structure):
    """What to pool, and where it goes."""

    _fields_ = (("blocks", ctypes.c_void_p), ("n_blocks", ctypes.c_int32), ("out", ctypes.c_void_p))


@dataclass(frozen=True, kw_only=True, eq=False)
class Kernels:
    """The library, ready for use.

    Attributes:
        library: its functions.
        path: where it is kept.
        digest: what it was built from: sources and flags.
    """

    library: ctypes.CDLL
    path: Path
    digest: str


@dataclass(frozen=True, kw_only=True)
class NoKernels:
    """Why there is no library.

    Attributes:
        reason: one sentence for `limbeck doctor`.
    """

    reason: str


_KNOWN: dict[tuple[BuildRecipe, Path | None], Kernels | NoKernels] = {}
"""What was found in this process; a machine does not change meanwhile."""


def find_kernels(cache_dir: Path | None = None, progress: Progress = SILENT) -> Kernels | NoKernels:
    """Return the kernels, compiled on first use (some seconds, once), or why there are none.

    Args:
        cache_dir: where the library is kept; the user's cache folder when not given.
        progress: is told when something is compiled.
    """
    found = find_library(ENCODER, cache_dir, progress)
    return found if isinstance(found, NoKernels) else _described(found)


def find_library(
    recipe: BuildRecipe, cache_dir: Path | None = None, progress: Progress = SILENT
) -> Kernels | NoKernels:
    """Return a library, compiled on first use, or why there is none; its functions are not described yet.

    Args:
        recipe: what to build.
        cache_dir: where libraries are kept; the user's cache folder when not given.
        progress: is told when something is compiled.
    """
    key = (recipe, cache_dir)
    if key not in _KNOWN:
        _KNOWN[key] = _look(recipe, cache_dir, progress)
    return _KNOWN[key]


def _look(recipe: BuildRecipe, cache_dir: Path | None, progress: Progress) -> Kernels | NoKernels:
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return NoKernels(reason=f"they are for Linux on x86-64; this is {sys.platform} on {platform.machine()}")
    if missing := sorted(recipe.cpu_flags - cpu_flags()):
        return NoKernels(reason=f"this CPU lacks {', '.join(missing)}")
    try:
        return build_library(recipe, (cache_dir or user_cache_path("limbeck")) / "kernels", progress)
    except (StorageError, OSError, subprocess.SubprocessError) as error:
        return NoKernels(reason=f"building them failed: {_short(error)}")


def build_library(recipe: BuildRecipe, folder: Path, progress: Progress = SILENT) -> Kernels | NoKernels:
    """Load the library that these sources and flags gave before, or compile it; or say that no compiler is there.

    Of several processes that need it at once one compiles and the others wait. A library that is damaged, or that
    this system cannot load, is compiled anew.

    Args:
        recipe: what to build.
        folder: where libraries are kept, one a digest.
        progress: is told when something is compiled.

    Raises:
        StorageError: the folder cannot be written.
        OSError: the library that was just compiled cannot be loaded.
        SubprocessError: the compiler refused the sources or took too long.
    """
    digest = _digest_of(recipe)
    found = _opened(recipe, folder, digest)
    if found is not None:
        return found
    compiler = next(filter(None, map(shutil.which, COMPILERS)), None)
    if compiler is None:
        return NoKernels(reason=f"no C++ compiler was found (looked for {', '.join(COMPILERS)})")
    with ExitStack() as stack:
        # Where there are no locks, or another process takes too long, two compile beside each other: files are whole.
        with suppress(StorageError):
            stack.enter_context(patient_lock(folder, patience_s=COMPILE_TIMEOUT_S))
        found = _opened(recipe, folder, digest)
        if found is not None:
            return found
        progress.say(f"compiling {recipe.main.name} for this CPU: once, some seconds")
        content = _compile(recipe, compiler)
        path = folder / f"{_stem(recipe, digest)}{_content_digest(content)}.so"
        write_bytes(path, content)
    return Kernels(library=ctypes.CDLL(str(path)), path=path, digest=digest)


def _digest_of(recipe: BuildRecipe) -> str:
    """Return the SHA-256 (hexadecimal) of what a library is built from. Compilers agree on what it computes."""
    digest = hashlib.sha256(" ".join(recipe.flags).encode())
    for place in (recipe.main.parent, *recipe.headers):
        for source in sorted(place.iterdir()):
            if source.suffix in (".cpp", ".hpp"):
                digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()


def _stem(recipe: BuildRecipe, digest: str) -> str:
    return f"{recipe.main.stem}-{digest[:20]}-"


def _content_digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:20]


def _opened(recipe: BuildRecipe, folder: Path, digest: str) -> Kernels | None:
    """Load a library that was compiled before; None when there is none that is whole and that this system can load."""
    for path in sorted(folder.glob(f"{_stem(recipe, digest)}*.so")):
        try:
            # One that was cut short would end this process, not only fail.
            if path.stem.endswith(f"-{_content_digest(path.read_bytes())}"):
                return Kernels(library=ctypes.CDLL(str(path)), path=path, digest=digest)
        except OSError:
            continue
    return None


def _compile(recipe: BuildRecipe, compiler: str) -> bytes:
    # Compilers want a file of their own; what they leave is written whole elsewhere, so no kill leaves half of it.
    with tempfile.TemporaryDirectory() as built:
        target = Path(built) / "library.so"
        beside = [word for place in recipe.headers for word in ("-I", str(place))]
        _run([compiler, *recipe.flags, *beside, str(recipe.main), "-o", str(target)])
        return target.read_bytes()


def require_done(answer: int, *, doing: str) -> None:
    """Refuse what a function of the library could not do.

    Args:
        answer: of the function.
        doing: what for, with its number of tokens.

    Raises:
        NoMemoryError: memory ran out, or the system gives this process no more threads.
    """
    if answer == NO_THREADS:
        raise NoMemoryError(
            f"the system gives this process no more threads for {doing}: raise the limit on processes (ulimit -u, or a "
            "container's pids limit), or compute with fewer threads"
        )
    if answer:
        raise NoMemoryError(f"no memory for {doing}: free some memory or lower the token budget")


def check_library(found: Kernels, *, version: int, expected: int, opened: int) -> Kernels | NoKernels:
    """Return the library, or why it cannot be used.

    Args:
        found: the library.
        version: of its functions, as it says.
        expected: the version that is known here.
        opened: what the system answered when it was asked for the matrix units; 0 gives them.
    """
    if version != expected:
        return NoKernels(reason=f"{found.path} is of another version: remove it")
    if opened != 0:
        return NoKernels(
            reason="the system keeps the CPU's matrix units from this process (Linux 5.16 or later gives them)"
        )
    return found


def _described(found: Kernels) -> Kernels | NoKernels:
    library = found.library
    library.limbeck_workplace.restype = ctypes.c_void_p
    library.limbeck_workplace.argtypes = (ctypes.c_void_p, ctypes.c_int32, ctypes.c_int32)
    library.limbeck_leave.restype = None
    library.limbeck_leave.argtypes = (ctypes.c_void_p,)
    library.limbeck_pack.restype = None
    library.limbeck_pack.argtypes = (ctypes.c_void_p, ctypes.c_int32, ctypes.c_int32, ctypes.c_void_p)
    library.limbeck_encode.restype = ctypes.c_int
    library.limbeck_encode.argtypes = (
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_int32,
        ctypes.POINTER(TextArrays),
        ctypes.POINTER(FeatureArrays),
    )
    return check_library(found, version=library.limbeck_abi(), expected=ABI, opened=library.limbeck_open())


def _run(command: list[str]) -> bytes:
    # The words are our own flags and paths, and no shell reads them.
    return subprocess.run(command, capture_output=True, check=True, timeout=COMPILE_TIMEOUT_S).stdout  # noqa: S603


def _short(error: Exception) -> str:
    said = error.stderr.decode(errors="replace") if isinstance(error, subprocess.CalledProcessError) else str(error)
    return said.strip()[:_SHOWN_CHARACTERS]
