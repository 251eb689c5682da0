"""Flags become settings: flags win over the file, the file over the defaults."""

import pytest

from limbeck.cli import options
from limbeck.errors import SettingsError
from limbeck.settings import FeatureSettings


def test_flags_win_over_the_file(tmp_path):
    """A flag that is given hides the file's value; one that is not given does not."""
    path = tmp_path / "settings.toml"
    path.write_text('[features]\npooling = "cls"\nmax_tokens = 64\n')
    tables = options.tables_of(path)
    made = options.stage(FeatureSettings, "features", tables, options.given(pooling="max", max_tokens=None))
    assert (made.pooling, made.max_tokens) == ("max", 64)


def test_an_unknown_table_is_refused(tmp_path):
    """A mistyped table names the nearest one."""
    path = tmp_path / "settings.toml"
    path.write_text("[feature]\n")
    with pytest.raises(SettingsError, match="did you mean 'features'"):
        options.tables_of(path)


def test_label_names_are_split_at_commas():
    """`--label-names` takes names in the order of their integers."""
    assert options.names_of("슬픔, joy") == ("슬픔", "joy")
    assert options.names_of('"Food, Drink",Toys, "a ""b"""') == ("Food, Drink", "Toys", 'a "b"')
    assert options.names_of(None) is None
    with pytest.raises(SettingsError, match="in double quotes"):
        options.names_of('"Food, Drink')


def test_a_wrong_device_names_the_devices():
    """`--device tpu` is answered with what there is."""
    with pytest.raises(SettingsError, match="one of auto, cpu, cuda, mps"):
        options.device_of("tpu")
