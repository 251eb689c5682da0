"""Tables of settings: layers, checks and TOML."""

import tomllib

import pytest

from limbeck.errors import SettingsError
from limbeck.setting_tables import build, check_keys, read_toml, to_toml
from limbeck.settings import FeatureSettings, ProbeSettings, ReadSettings


def test_later_layers_win_and_none_means_not_given():
    """Flags win over the file, the file over the defaults; an absent flag hides nothing."""
    made = build(FeatureSettings, {"pooling": "cls", "max_tokens": 99}, {"pooling": "max", "max_tokens": None})
    assert (made.pooling, made.max_tokens, made.encoder) == ("max", 99, "minilm")


def test_an_unknown_key_names_where_it_belongs():
    """Whoever builds settings can say more of a key than its nearest name; of the others the nearest is said."""
    hint = {"epochs": "'epochs' is of a loop"}.get
    with pytest.raises(SettingsError, match="2 faults") as caught:
        build(ProbeSettings, {"epochs": 1, "foldes": 2}, where="probe", hint=hint)
    assert "probe: 'epochs' is of a loop\n" in str(caught.value)
    assert "probe: unknown key 'foldes'; did you mean 'folds'?" in str(caught.value)


def test_an_unknown_key_names_the_nearest():
    """A slip of the pen is answered with the key that was probably meant."""
    with pytest.raises(SettingsError, match=r"probe: unknown key 'penaltes'; did you mean 'penalties'\?"):
        build(ProbeSettings, {"penaltes": [1.0]}, where="probe")


def test_faults_are_gathered():
    """Every wrong key and value is told at once."""
    with pytest.raises(SettingsError, match="3 faults") as caught:
        build(ProbeSettings, {"folds": "five", "balance": "smite", "unheard": 1})
    assert "folds = 'five' is not a whole number" in str(caught.value)
    assert "one of none, weights, oversample, smote" in str(caught.value)


@pytest.mark.parametrize(("key", "value"), [("folds", True), ("folds", 2.5), ("penalties", 0.1), ("penalties", ["a"])])
def test_values_of_a_wrong_type_are_refused(key, value):
    """A bool is not a number, a fraction not a count, a number not a list."""
    with pytest.raises(SettingsError, match=key):
        build(ProbeSettings, {key: value})


def test_toml_out_and_in_is_the_same_value(tmp_path):
    """What a run writes down repeats the run."""
    stages = {"read": ReadSettings(label_names=("슬픔", "joy")), "probe": ProbeSettings(penalties=(0.5, 2.0), folds=3)}
    path = tmp_path / "settings.toml"
    path.write_text(to_toml(stages), "utf-8")
    tables = read_toml(path)
    assert build(ReadSettings, tables["read"]) == stages["read"]
    assert build(ProbeSettings, tables["probe"]) == stages["probe"]


def test_unset_keys_are_left_out_of_toml():
    """TOML has no null; a key that is not set is not written."""
    assert "text_column" not in tomllib.loads(to_toml({"read": ReadSettings()}))["read"]


@pytest.mark.parametrize(("content", "said"), [(None, "cannot read the settings file"), ("a = ", "is not valid TOML")])
def test_an_unreadable_file_is_said(tmp_path, content, said):
    """An absent file and a broken one are told apart, each by its path."""
    path = tmp_path / "x.toml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SettingsError, match=said):
        read_toml(path)


def test_an_unknown_table_names_the_nearest():
    """A mistyped table is an error too."""
    with pytest.raises(SettingsError, match="did you mean 'features'"):
        check_keys({"feature": {}}, ("read", "features"), where="x.toml")
