"""Cards and patterns of the hub: whoever wrote them, an answer or an error of ours, and soon."""

import fnmatch
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limbeck.errors import LimbeckError
from limbeck.reading.hub_layout import _matching, declared_labels, find_data_files

NAMES = ("data/train-0.parquet", "data/test-0.parquet", "train.csv", "b/c/d.csv", "README.md")

KEYS = st.sampled_from(
    [
        "configs",
        "data_files",
        "data_dir",
        "config_name",
        "default",
        "split",
        "path",
        "dataset_info",
        "features",
        "name",
        "dtype",
        "class_label",
        "names",
        "0",
        "1",
        "train",
        "x",
    ]
)
SCALARS = st.one_of(
    st.none(), st.text(max_size=6), st.integers(-3, 3), st.booleans(), st.sampled_from(["0", "true", "²"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
    max_leaves=25,
)


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(st.dictionaries(KEYS, VALUES, max_size=5), st.sampled_from([None, "x", "default"]))
def test_a_card_of_any_shape(card, config):
    """Whatever a card holds, files are found or an error of ours says why not."""
    with suppress(LimbeckError):
        find_data_files(NAMES, card, config=config, where="hub:a/b")


@pytest.mark.slow
@settings(deadline=None, max_examples=100)
@given(VALUES)
def test_labels_of_a_card_of_any_shape(value):
    """Names and indices, or nothing."""
    infos = [{"dataset_info": {"features": value}}, {"dataset_info": {"features": [{"name": "a", "dtype": value}]}}]
    infos += [{"dataset_info": {"features": [{"dtype": {"class_label": {"names": ["x"]}}}, value]}}]
    for card in infos:
        for names in declared_labels(card, "default").values():
            assert all(isinstance(index, int) and isinstance(name, str) for index, name in names.items())


@pytest.mark.parametrize(
    "feature",
    [
        {"dtype": {"class_label": {"names": {"0": "a", "1": "b"}}}},
        {"sequence": {"class_label": {"names": {"0": "a", "1": "b"}}}},
        {"list": {"class_label": {"names": ["a", "b"]}}},
        {"sequence": {"dtype": {"class_label": {"names": ["a", "b"]}}}},
    ],
)
def test_labels_of_one_or_several_are_declared(feature: dict[str, object]) -> None:
    """A card names the classes of a ClassLabel, and of a list of them, in each way in which datasets writes it."""
    card = {"dataset_info": {"features": [{"name": "text", "dtype": "string"}, {"name": "tags", **feature}]}}
    assert declared_labels(card, "default") == {"tags": {0: "a", 1: "b"}}


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ("data/*", {"data/a.csv"}),
        ("*.csv", {"b.csv"}),
        ("**", {"data/a.csv", "data/in/a.csv", "b.csv"}),
        ("**/a.csv", {"data/a.csv", "data/in/a.csv"}),
        ("**/b.csv", {"b.csv"}),
        ("data/**/a.csv", {"data/a.csv", "data/in/a.csv"}),
        ("./b.csv", {"b.csv"}),
        ("?.csv", {"b.csv"}),
        ("[!a].csv", {"b.csv"}),
        ("[^a].csv", {"b.csv"}),
        ("[a-c].csv", {"b.csv"}),
        ("[!a-c].csv", set()),
        ("[z-a].csv", set()),
        ("data[/]a.csv", set()),
        ("[.csv", set()),
        ("data?a.csv", set()),
        ("", set()),
    ],
)
def test_patterns(pattern, matched):
    """`*` stays in a folder, `**` does not, a set in brackets may be turned round, and anything else is itself."""
    assert set(_matching(("data/a.csv", "data/in/a.csv", "b.csv"), [pattern])) == matched


@settings(deadline=None)
@given(st.text("ab*?[]!-c", max_size=8), st.text("abc-!]", min_size=1, max_size=6))
def test_patterns_without_folders_match_as_the_shell_does(pattern, name):
    """Where there is no folder and no `**`, the answer is fnmatch's."""
    if "**" not in pattern and "[]" not in pattern and "[!]" not in pattern and "--" not in pattern:
        assert bool(_matching((name,), [pattern])) == fnmatch.fnmatchcase(name, pattern)


def test_a_hostile_pattern_ends():
    """A pattern for which a regular expression would try more ways than there are atoms is answered at once."""
    for piece in ("**a", "*a", "**/a", "[!b]*"):
        assert _matching(("a" * 200 + "b",), [piece * 60 + "c"]) == ()
