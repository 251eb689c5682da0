"""Flags become settings: flags win over the file, the file over the defaults."""

import pytest
import typer
from typer.testing import CliRunner

from limbeck.cli import options
from limbeck.cli.app import app
from limbeck.cli.settings_options import Flags
from limbeck.errors import SettingsError
from limbeck.setting_tables import names_of
from limbeck.settings import FeatureSettings


def test_flags_win_over_the_file(tmp_path):
    """A flag that is given hides the file's value; one that is not given does not."""
    path = tmp_path / "settings.toml"
    path.write_text('[features]\npooling = "cls"\nmax_tokens = 64\n')
    tables = options.tables_of(path)
    made = Flags({"pooling": "max"}).build(FeatureSettings, tables["features"], where="features")
    assert (made.pooling, made.max_tokens) == ("max", 64)


def test_an_unknown_table_is_refused(tmp_path):
    """A mistyped table names the nearest one."""
    path = tmp_path / "settings.toml"
    path.write_text("[feature]\n")
    with pytest.raises(SettingsError, match="did you mean 'features'"):
        options.tables_of(path)


def test_label_names_are_split_at_commas():
    """`--label-names` takes names in the order of their integers."""
    assert names_of("슬픔, joy") == ("슬픔", "joy")
    assert names_of('"Food, Drink",Toys, "a ""b"""') == ("Food, Drink", "Toys", 'a "b"')
    assert options.reading_words(Flags({})) == {}
    with pytest.raises(SettingsError, match="in double quotes"):
        names_of('"Food, Drink')


def test_a_wrong_device_names_the_devices():
    """`--device tpu` is answered with what there is."""
    ended = CliRunner().invoke(app, ["train", "DATA", "--out", "R", "--device", "tpu"])
    assert ended.exit_code == 2
    assert all(device in ended.stderr for device in ("auto", "cpu", "cuda", "mps"))


@pytest.mark.parametrize(
    ("command", "table"),
    [
        ("train", "distil"),
        ("train", "pretrain"),
        ("distil", "features"),
        ("distil", "finetune"),
        ("pretrain", "read"),
        ("pretrain", "features"),
    ],
)
def test_a_table_that_a_command_does_not_use_is_refused(command, table, tmp_path):
    """Before anything is read: settings that would change nothing are an error, as an unknown key is."""
    path = tmp_path / "settings.toml"
    path.write_text(f"[{table}]\n")
    words = {"distil": ["TEACHER", "DATA"]}.get(command, ["DATA"])
    ended = CliRunner().invoke(app, [command, *words, "--out", str(tmp_path / "R"), "--config", str(path)])
    assert isinstance(ended.exception, SettingsError)
    assert f"does not use the table [{table}]" in str(ended.exception)
    assert not (tmp_path / "R").exists()


@pytest.mark.parametrize(
    ("command", "used"),
    [
        ("train", options.CLASSIFIER_TABLES),
        ("distil", options.TABLES["distil"]),
        ("pretrain", options.TABLES["pretrain"]),
    ],
)
def test_the_help_of_config_names_the_tables(command, used):
    """Each command's --config says which tables it takes."""
    params = typer.main.get_command(app).commands[command].params
    (said,) = [one.help for one in params if one.name == "config"]
    assert all(table in said for table in used)
