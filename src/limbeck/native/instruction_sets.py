"""The instruction sets that the C++ is compiled for: one row each, and one library each.

In: nothing. Out: names, flags of the compiler, and what a CPU must have. Nothing outside Python is imported, because
wheels are built where nothing is installed.
"""

from dataclasses import dataclass

from limbeck.processor import ARM, X86

_AVX512_FLAGS = ("-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma", "-maes")
_AVX512_CPU = frozenset(("avx512f", "avx512bw", "avx512dq", "avx512vl", "fma", "aes"))


@dataclass(frozen=True, kw_only=True)
class Library:
    """One instruction set, and the library that is compiled for it.

    Attributes:
        name: of both.
        flags: of the compiler.
        cpu_flags: what the CPU must have, as Linux names it.
        machines: that it can be compiled for.
        is_reference: every CPU runs it, slowly: for tests, and for those who ask for it by name.
    """

    name: str
    flags: tuple[str, ...] = ()
    cpu_flags: frozenset[str] = frozenset()
    machines: frozenset[str] = frozenset((X86,))
    is_reference: bool = False

    @property
    def header(self) -> str:
        """The file that says how this instruction set computes."""
        return f"isa_{self.name}.hpp"


_BOTH = frozenset((X86, ARM))
LIBRARIES = (
    Library(
        name="amx",
        flags=(*_AVX512_FLAGS, "-mavx512vbmi", "-mavx512bf16", "-mamx-tile", "-mamx-bf16", "-mvaes"),
        cpu_flags=_AVX512_CPU | {"avx512vbmi", "avx512_bf16", "amx_tile", "amx_bf16", "vaes"},
    ),
    Library(
        name="avx512bf16",
        flags=(*_AVX512_FLAGS, "-mavx512vbmi", "-mavx512bf16"),
        cpu_flags=_AVX512_CPU | {"avx512vbmi", "avx512_bf16"},
    ),
    Library(name="avx512", flags=_AVX512_FLAGS, cpu_flags=_AVX512_CPU),
    Library(name="avx2", flags=("-mavx2", "-mfma", "-maes"), cpu_flags=frozenset(("avx2", "fma", "aes"))),
    Library(
        name="neonbf16",
        flags=("-march=armv8.2-a+bf16+crypto",),
        cpu_flags=frozenset(("asimd", "bf16", "aes")),
        machines=frozenset((ARM,)),
    ),
    Library(
        name="neon",
        flags=("-march=armv8-a+crypto",),
        cpu_flags=frozenset(("asimd", "aes")),
        machines=frozenset((ARM,)),
    ),
    Library(name="portable", machines=_BOTH, is_reference=True),
    Library(name="soft", machines=_BOTH, is_reference=True),
)
"""Best first."""
