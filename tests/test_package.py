"""The package as a whole: what importing it costs, and its public names."""

import ast
import doctest
import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import Union, get_args, get_origin, get_type_hints

import pytest

import limbeck
from limbeck import errors
from limbeck.display.views import View
from limbeck.model.blocks import blocks_for
from limbeck.model.bundle import Bundle, save_bundle
from limbeck.model.facts import BundleFacts
from limbeck.model.heads import ClassificationHead, LinearHead

HEAVY = ("torch", "transformers", "pyarrow", "sklearn", "numpy", "tokenizers", "matplotlib", "rich.progress")
COMPILERS = ("sympy", "torch._dynamo", "torch.fx.experimental.symbolic_shapes")
NEEDLESS = ("scipy", "pandas", "sklearn", "transformers", *COMPILERS)
"""What no answer needs: each takes up to 2 s to import."""


def loaded_after(code: str, names: tuple[str, ...] = HEAVY, *words: str) -> set[str]:
    """Run code in a new interpreter and return which modules of these it loaded."""
    probe = f"import sys\n{code}\nprint(*[name for name in {names!r} if name in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", probe, *words], capture_output=True, text=True, check=True)
    return set(ended.stdout.splitlines()[-1].split()) if ended.stdout.strip() else set()


def test_importing_limbeck_loads_nothing_heavy():
    """`import limbeck` costs a moment: no torch, no numpy, no Arrow."""
    assert loaded_after("import limbeck") == set()


def test_help_loads_nothing_heavy():
    """`limbeck --help` costs a moment too, with every command registered."""
    code = "from limbeck.cli.app import app\ntry: app(['--help'])\nexcept SystemExit: pass"
    assert loaded_after(code) == set()


@pytest.mark.slow
def test_rooms_of_numbers_and_words_load_no_torch():
    """Reading, auditing, evaluating and drawing never wait for torch."""
    rooms = ("reading.read", "evaluation.evaluation", "reporting.charts", "auditing", "tokens")
    assert "torch" not in loaded_after(f"import {', '.join(f'limbeck.{room}' for room in rooms)}")


@pytest.mark.slow
@pytest.mark.parametrize("head", ["classification", "linear"])
def test_an_answer_needs_no_library_that_it_does_not_use(head, tiny_loaded, tmp_path):
    """Opening a model and asking it a text import no compiler of torch's, no statistics and no other frameworks."""
    blocks = blocks_for("cls", None, tiny_loaded.config.n_layers)
    facts = BundleFacts(head=head, blocks=blocks, max_tokens=12, label_names=("no", "yes"), provenance={})
    width = tiny_loaded.config.dim
    made = LinearHead.zeros(2, width) if head == "linear" else ClassificationHead(dim=width, n_labels=2)
    save_bundle(Bundle(loaded=tiny_loaded, head=made.eval(), facts=facts), tmp_path / "model", card="")
    code = "from limbeck import load; load(sys.argv[1], device='cpu', engine='torch-float32').predict(['so sad'])"
    assert loaded_after(code, NEEDLESS, str(tmp_path / "model")) == set()


@pytest.mark.slow
def test_the_front_of_a_service_waits_for_no_library_that_it_does_not_use():
    """`limbeck serve` listens without torch, and without statistics."""
    code = "import limbeck.cli.serve, limbeck.serving.local_service, limbeck.serving.server"
    assert loaded_after(code, ("torch", *NEEDLESS)) == set()


def test_an_engine_is_started_before_anything_heavy_is_imported():
    """What starts the first engine of `limbeck serve` costs a moment, so that both import at the same time."""
    assert loaded_after("import limbeck.cli.serve, limbeck.serving.engine_start", (*HEAVY, "starlette")) == set()


@pytest.mark.slow
def test_a_large_answer_of_a_service_imports_nothing():
    """The first request of many texts does not hold up all others for a second."""
    code = "import numpy; from limbeck.serving.replies import shortest; shortest(numpy.full((100, 6), 0.1, 'float32'))"
    assert loaded_after(code, ("torch", *NEEDLESS)) == set()


@pytest.mark.parametrize("name", [name for name in limbeck.__all__ if name != "__version__"])
def test_every_public_name_is_there(name):
    """Each name that the package promises is a function or a class that its home defines or hands on, and explained."""
    value = getattr(limbeck, name)
    assert value is getattr(import_module(limbeck._HOME_OF[name]), name)
    assert callable(value)
    assert value.__name__ == name
    assert (value.__doc__ or "").strip()


def test_an_unknown_name_is_an_attribute_error():
    """A slip of the pen is answered with the names there are."""
    with pytest.raises(AttributeError, match="load_encoder"):
        limbeck.load_encodr  # noqa: B018  # the access is the test


@pytest.mark.slow
def test_names_that_need_an_absent_library_break_nothing():
    """Without scikit-learn `hasattr` says no, the error says what to install, and looking around does not fail."""
    code = (
        "import inspect, sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] == 'sklearn': raise ModuleNotFoundError(name, name=name)\n"
        "import importlib.util\n"
        "real = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, package=None: None if name == 'sklearn' else real(name, package)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "import limbeck\n"
        "from limbeck.errors import MissingExtraError\n"
        "assert not hasattr(limbeck, 'TextClassifier')\n"
        "try: limbeck.TextClassifier\n"
        "except MissingExtraError as error: assert 'pip install' in str(error)\n"
        "assert 'TextClassifier' not in limbeck.__all__\n"
        "limbeck._HOME_OF = {'TextClassifier': limbeck._HOME_OF['TextClassifier'], 'read': 'limbeck.reading.read'}\n"
        "assert any(name == 'read' for name, _ in inspect.getmembers(limbeck))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_name_can_be_taken_at_once():
    """`from limbeck import *` gives each public name."""
    taken = {}
    exec("from limbeck import *", taken)  # noqa: S102  # the statement is for the top of a module only
    assert set(limbeck.__all__) <= set(taken)


def public_functions():
    """The functions among the public names."""
    return [name for name in limbeck.__all__ if inspect.isfunction(getattr(limbeck, name))]


def classes_in(hint):
    """The classes that an annotation names."""
    if get_origin(hint) in (Union, UnionType, tuple, list, dict):
        return [found for part in get_args(hint) for found in classes_in(part)]
    return [hint] if inspect.isclass(hint) else []


def test_one_table_says_where_names_are_at_home():
    """What type checkers read and what is loaded on first use are the same names from the same modules."""
    tree = ast.parse(Path(limbeck.__file__).read_text("utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    read = {alias.asname: node.module for node in block.body for alias in node.names}
    assert read == limbeck._HOME_OF


@pytest.mark.parametrize("name", [name for name in limbeck.__all__ if name != "__version__"])
def test_a_public_name_is_at_home_where_it_is_made(name):
    """No detours: a name's home is the module that defines it."""
    assert getattr(limbeck, name).__module__ == limbeck._HOME_OF[name]


def test_every_error_can_be_caught_from_the_top():
    """`except limbeck.DataError` works for each class of the tree."""
    tree = {name for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, Exception)}
    assert tree <= set(limbeck.__all__)


@pytest.mark.parametrize("name", public_functions())
def test_what_a_function_returns_can_be_named(name):
    """Every class of limbeck that a public function returns is public itself, and those that show themselves say so."""
    function = getattr(limbeck, name)
    homes = vars(import_module(limbeck._HOME_OF[name]))
    returned = [
        kind
        for kind in classes_in(get_type_hints(inspect.unwrap(function), homes)["return"])
        if kind.__module__.startswith("limbeck")
    ]
    assert {kind.__name__ for kind in returned} <= set(limbeck.__all__)


RESULTS = (
    "Audit", "Cleaning", "Comparison", "Corrections", "Dataset", "Evaluation", "HardCases", "LabelIssues", "LoopRun",
    "MultiEvaluation", "MultiPredictions", "Predictions", "Predictor", "PretrainedRun", "ProbeRun", "Resplit",
    "LabelThresholds", "RunComparison", "Scored", "ShapeComparison", "Sweep", "TagIssues",
    "Thresholds", "ValueEvaluation", "ValuePredictions", "WrittenReport",
)  # fmt: skip


@pytest.mark.parametrize("name", RESULTS)
def test_every_result_shows_itself(name):
    """Two lines at a prompt, tables in a notebook: no result falls back to what dataclasses print."""
    kind = getattr(limbeck, name)
    assert issubclass(kind, View)
    assert kind.__repr__ is View.__repr__


@pytest.mark.parametrize("name", public_functions())
def test_every_function_has_an_example(name):
    """What each public function says of itself ends in an example."""
    function = getattr(limbeck, name)
    assert doctest.DocTestParser().get_examples(function.__doc__ or ""), f"limbeck.{name} has no Example"
