"""The machines that were measured: what a column of theirs is called.

In: a result with its machine and instruction set. Out: a few words. It does not know figures.
"""

import re
from typing import Any

SPOKEN = {
    "amx": "AMX",
    "avx512bf16": "AVX-512 for bf16",
    "avx512": "AVX-512",
    "avx2": "AVX2",
    "neonbf16": "NEON for bf16",
    "neon": "NEON",
    "portable": "plain C++",
    "soft": "emulated AMX",
}
_NOISE = re.compile(r"\(.*?\)|@.*|\b(Intel|AMD|Processor|CPU)\b")


def cores_of(result: dict[str, Any]) -> str:
    """Say which cores a result is of: "2 cores of a Xeon with AMX"."""
    name = " ".join(_NOISE.sub(" ", result["machine"]["processor"]).split()) or "an unnamed CPU"
    article = "" if name.startswith("an ") else "an " if name[0] in "AEIOU" else "a "
    return f"{result['threads']} cores of {article}{name} with {SPOKEN.get(result['isa'], result['isa'])}"


def whole_machine_of(machine: dict[str, Any]) -> str:
    """Say the same of a result that names no instruction set, but used all that its machine has."""
    units = {*machine["bf16_units"], *machine["vector_units"]}
    best = {"amx_bf16": "amx", "avx512_bf16": "avx512bf16", "avx512f": "avx512", "avx2": "avx2", "asimd": "neon"}
    isa = next((isa for unit, isa in best.items() if unit in units), "portable")
    return cores_of({"machine": machine, "threads": machine["cores"], "isa": isa})
