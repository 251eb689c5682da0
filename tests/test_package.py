"""The package as a whole: what importing it costs, and its public names."""

import subprocess
import sys

import pytest

import limbeck

HEAVY = ("torch", "transformers", "pyarrow", "sklearn", "numpy", "tokenizers", "matplotlib", "rich.progress")


def loaded_after(code: str) -> set[str]:
    """Run code in a new interpreter and return the heavy modules that it loaded."""
    probe = f"import sys\n{code}\nprint(*[name for name in {HEAVY!r} if name in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    return set(ended.stdout.splitlines()[-1].split()) if ended.stdout.strip() else set()


def test_importing_limbeck_loads_nothing_heavy():
    """`import limbeck` costs a moment: no torch, no numpy, no Arrow."""
    assert loaded_after("import limbeck") == set()


def test_help_loads_nothing_heavy():
    """`limbeck --help` costs a moment too, with every command registered."""
    code = "from limbeck.cli.app import app\ntry: app(['--help'])\nexcept SystemExit: pass"
    assert loaded_after(code) == set()


@pytest.mark.parametrize("module", ["data.read", "evaluation.evaluation", "reporting.charts", "audit", "tokens"])
def test_rooms_of_numbers_and_words_load_no_torch(module):
    """Reading, auditing, evaluating and drawing never wait for torch."""
    assert "torch" not in loaded_after(f"import limbeck.{module}")


@pytest.mark.parametrize("name", [name for name in limbeck.__all__ if name != "__version__"])
def test_every_public_name_is_there(name):
    """Each name that the package promises can be had."""
    assert getattr(limbeck, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    """A slip of the pen is answered with the names there are."""
    with pytest.raises(AttributeError, match="load_encoder"):
        limbeck.load_encodr  # noqa: B018  # the access is the test
