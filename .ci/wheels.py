"""Builds a wheel for every platform from this one machine, with zig, and checks each; `make wheels` runs it.

In: a checkout, and names of platforms (all when none is given). Out: dist/*.whl. Ends with 1 when one is not as it
should be: its tag, its libraries, its size, what its libraries need of a system, and that nothing of theirs runs when
they are loaded, before anybody asked what the CPU can do.
"""

import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from hatch_build import PLATFORMS  # noqa: E402

from limbeck.native.instruction_sets import LIBRARIES  # noqa: E402

MOST_BYTES = 5_000_000
MOST_GLIBC = (2, 17)
SYSTEM = {
    "manylinux": re.compile(r"lib(c|m|pthread|dl)\.so\.\d|ld-linux.*"),
    "musllinux": re.compile(r"libc\.so"),
    "macosx": re.compile(r"/usr/lib/libSystem\.B\.dylib"),
    "win": re.compile(r"(KERNEL32|ntdll|api-ms-win-crt-[a-z0-9-]+)\.dll", re.IGNORECASE),
}
"""What a library may need of each kind of system: its C library, and no C++ library."""
MACH_HEADER = struct.Struct("<8I")
LC_REQ_DYLD = 0x80000000
LC_LOADS = (0x0C, 0x18, 0x1F, 0x23)
"""Commands that load a library: plain, weak, exported again, upward."""


def main(names: list[str]) -> int:
    """Build and check; return how the program ends."""
    faults = []
    for name in names or PLATFORMS:
        command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(ROOT / "dist")]
        subprocess.run(command, cwd=ROOT, env={**os.environ, "LIMBECK_PLATFORM": name}, check=True)
        (wheel,) = (ROOT / "dist").glob(f"limbeck-*-py3-none-{name}.whl")
        faults += [f"{wheel.name}: {fault}" for fault in faults_of(wheel, name)]
        sys.stdout.write(f"{wheel.name}: {wheel.stat().st_size / 1e6:.2f} MB\n")
    sys.stdout.writelines(f"{fault}\n" for fault in faults)
    return 1 if faults else 0


def faults_of(wheel: Path, name: str) -> list[str]:
    """Return what is wrong with a wheel of a platform."""
    faults = [f"{wheel.stat().st_size:,} bytes: more than {MOST_BYTES:,}"] * (wheel.stat().st_size > MOST_BYTES)
    machine = PLATFORMS[name][1]
    wanted = {f"limbeck-{library.name}" for library in LIBRARIES if machine in library.machines}
    wanted |= {"limbeck-wordpiece", *["limbeck-cpuid"] * name.startswith("win")}
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
        libraries = sorted((Path(folder) / "limbeck" / "native" / "lib").glob("limbeck-*"))
        if (found := {path.stem for path in libraries}) != wanted:
            faults.append(f"holds {sorted(found)}, not {sorted(wanted)}")
        for path in libraries:
            faults += [f"{path.name}: {fault}" for fault in faults_of_library(path, name)]
    return faults


def faults_of_library(path: Path, name: str) -> list[str]:
    """Return what a library needs that not every such system has."""
    kind = name.partition("_")[0] if not name.startswith("macosx") else "macosx"
    faults = [f"needs {needed}" for needed in needs_of(path, kind) if not SYSTEM[kind].fullmatch(needed)]
    if kind in ("manylinux", "musllinux") and shutil.which("readelf"):
        versions = re.findall(r"GLIBC_(\d+)\.(\d+)", said_by("readelf", "--version-info", "--wide", path))
        faults += [f"asks for GLIBC_{a}.{b}" for a, b in set(versions) if (int(a), int(b)) > MOST_GLIBC]
        if re.search(r"\.init_array|\.ctors", said_by("readelf", "--sections", "--wide", path)):
            faults.append("runs code when it is loaded")
    return faults


def needs_of(path: Path, kind: str) -> list[str]:
    """Return the libraries that a library names, as far as the tools here can read its format."""
    if kind in ("manylinux", "musllinux"):
        return re.findall(r"\(NEEDED\).*\[(.*)\]", said_by("readelf", "--dynamic", "--wide", path))
    if kind == "win":
        return re.findall(r"DLL Name: (\S+)", said_by("objdump", "--private-headers", path))
    return loaded_by(path.read_bytes())


def loaded_by(library: bytes) -> list[str]:
    """Return the libraries that a Mach-O file of 64 bits loads, by its load commands (mach-o/loader.h).

    Its strings name others, too: libc++ looks whether the system's libstdc++ is there by chance, and needs it not.
    """
    names, place = [], MACH_HEADER.size
    for _ in range(MACH_HEADER.unpack_from(library)[4]):
        command, size, start = struct.unpack_from("<3I", library, place)
        if command & ~LC_REQ_DYLD in LC_LOADS:
            names.append(library[place + start : place + size].split(b"\0")[0].decode())
        place += size
    return names


def said_by(*words: str | Path) -> str:
    """Return what a program of binutils says; nothing where there is none."""
    if not shutil.which(str(words[0])):
        return ""
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
