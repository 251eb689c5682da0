"""Options and tables become the settings of a training; what another method has is said to be there."""

import pytest

from limbeck.errors import SettingsError
from limbeck.methods.options import training_of
from limbeck.methods.table import METHODS


@pytest.mark.parametrize(
    ("method", "key", "others"),
    [
        ("probe", "epochs", "head or finetune"),
        ("probe", "dropout", "finetune"),
        ("probe", "head", "head"),
        ("head", "folds", "probe"),
        ("finetune", "penalties", "probe"),
    ],
)
@pytest.mark.parametrize("is_option", [True, False])
def test_a_key_of_another_method_names_that_method(method, key, others, is_option):
    """Whoever gives --epochs to a probe, or writes it in its table, is told what it goes with."""
    given = ({key: 1}, {}) if is_option else ({}, {method: {key: 1}})
    with pytest.raises(SettingsError, match=f"{method}: '{key}' goes with method {others}\n"):
        training_of(method, *given)


def test_options_win_over_tables_and_tables_over_defaults():
    """As flags over a file; a table of one stage leaves the others alone."""
    training = training_of("finetune", {"epochs": 5}, {"finetune": {"epochs": 4, "seeds": 2}})
    assert (training.finetune.epochs, training.finetune.seeds, training.features.pooling) == (5, 2, "cls")


@pytest.mark.parametrize("method", METHODS)
def test_every_method_takes_its_own_options(method):
    """Those that make no classifier too, where they are asked for."""
    assert training_of(method, {"seed": 7}, among=METHODS).fitting.seed == 7
