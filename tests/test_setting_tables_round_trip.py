"""Settings of every stage: written as JSON and as TOML, and read back as the same."""

import json
import tomllib
from dataclasses import fields
from typing import Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limbeck.errors import SettingsError
from limbeck.methods.distil_settings import DistillationSettings, check_distillation
from limbeck.methods.pretrain_settings import PretrainingSettings, check_pretraining
from limbeck.setting_tables import build, settable, to_plain, to_toml
from limbeck.settings import (
    AuditSettings,
    CleanSettings,
    FeatureSettings,
    FinetuneSettings,
    HeadSettings,
    ProbeSettings,
    ReadSettings,
    SplitSettings,
    SweepSettings,
)
from limbeck.training.setting_checks import HIGHEST_SEED, check_training

KINDS = (
    AuditSettings,
    CleanSettings,
    DistillationSettings,
    FeatureSettings,
    FinetuneSettings,
    HeadSettings,
    PretrainingSettings,
    ProbeSettings,
    ReadSettings,
    SplitSettings,
    SweepSettings,
)
SPECIAL = {float: st.floats(allow_nan=False, allow_infinity=False), int: st.integers(-(2**63), 2**63 - 1)}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


def values_of(hint):
    if get_origin(hint) is Literal:
        return st.sampled_from(get_args(hint))
    if get_origin(hint) is tuple:
        return st.lists(values_of(get_args(hint)[0]), max_size=3).map(tuple)
    if get_args(hint):
        return st.one_of([values_of(option) for option in get_args(hint)])
    if hint is type(None):
        return st.none()
    return TEXT if hint is str else st.booleans() if hint is bool else SPECIAL[hint]


def settings_of(kind):
    hints = get_type_hints(kind)
    return st.builds(kind, **{name: values_of(hints[name]) for name in settable(kind)})


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_json_and_toml_give_the_same_settings_back(kind, data):
    """Whatever the values: what a run writes down repeats the run, and what is off stays off."""
    drawn = data.draw(settings_of(kind))
    written = json.dumps(to_plain(drawn), allow_nan=False)
    assert build(kind, json.loads(written)) == drawn
    assert build(kind, tomllib.loads(to_toml({"a": drawn}))["a"]) == drawn


@pytest.mark.parametrize("kind", [FinetuneSettings, HeadSettings, DistillationSettings, PretrainingSettings])
@pytest.mark.parametrize("name", ["clip_norm", "checkpoint_every_s", "patience"])
def test_off_is_none(kind, name):
    """In files and flags, over whatever lies below; and None is written as off only where it is not the default."""
    settings = build(kind, {name: 1}, {name: "off"})
    assert getattr(settings, name) is None
    assert to_plain(settings)[name] == (None if name == "patience" else "off")


@pytest.mark.parametrize("kind", [DistillationSettings, PretrainingSettings])
def test_what_is_not_used_cannot_be_set(kind):
    """A setting that a training only inherits is unknown to it, but the one value that it has in a run's record."""
    assert {"loss", "balance", "seeds"} & kind.FIXED
    for name in kind.FIXED:
        assert build(kind, {name: getattr(kind(), name)}) == kind()
        with pytest.raises(SettingsError, match=f"unknown key '{name}'"):
            build(kind, {name: "other"})


def test_off_is_a_text_where_texts_are_wanted():
    """A column may be called off."""
    assert build(ReadSettings, {"text_column": "off"}).text_column == "off"


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
@pytest.mark.parametrize("kind", [FinetuneSettings, HeadSettings, DistillationSettings, PretrainingSettings])
def test_what_is_endless_is_refused(kind, value):
    """By name, before anything is written: from a file, a flag, or Python, for every number of a training."""
    check = {
        DistillationSettings: check_distillation,
        PretrainingSettings: check_pretraining,
    }.get(kind, check_training)
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind) if hints[field.name] is float or float in get_args(hints[field.name])]
    assert {"clip_norm", "checkpoint_every_s", "warmup_share", "learning_rate"} <= set(names)
    for name in names:
        wrong = rf"{name} = (-?inf|nan) is not a number" if name in settable(kind) else "unknown key"
        with pytest.raises(SettingsError, match=wrong):
            build(kind, {name: value})
        with pytest.raises(SettingsError, match=rf"{name} = (-?inf|nan) is not possible: give a finite number"):
            check(kind(**{name: value}))


@pytest.mark.parametrize(("seed", "seeds"), [(HIGHEST_SEED, 1), (HIGHEST_SEED - 2, 3), (0, 1)])
def test_every_seed_can_be_used(seed, seeds):
    """The highest too; what goes beyond it is refused, with how many there are."""
    check_training(HeadSettings(seed=seed, seeds=seeds))
    with pytest.raises(SettingsError, match=f"give a value from 1 to {HIGHEST_SEED + 1 - seed}"):
        check_training(HeadSettings(seed=seed, seeds=HIGHEST_SEED + 2 - seed))
