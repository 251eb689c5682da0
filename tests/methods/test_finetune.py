"""Fine-tuning: settings that cannot go together are refused before anything is loaded."""

import pytest

from limbeck.errors import SettingsError, WeightsError
from limbeck.methods.finetune import FinetuneMethod, Finetuning
from limbeck.settings import FeatureSettings, FinetuneSettings


def method_of(features, loop):
    return FinetuneMethod(
        Finetuning(
            features=FeatureSettings(encoder="no such folder/encoder", pooling="cls", precision=features),
            finetune=FinetuneSettings(precision=loop),
        )
    )


@pytest.mark.parametrize(("features", "loop"), [("float32", "bfloat16"), ("bfloat16", "float32")])
def test_two_precisions_of_one_run_are_refused(features, loop):
    """Both are named, with their tables."""
    with pytest.raises(SettingsError, match=f"'{features}' in the table features and '{loop}' in finetune"):
        method_of(features, loop).open(2)


@pytest.mark.parametrize(
    ("features", "loop"), [("auto", "float32"), ("bfloat16", "auto"), ("float32", "float32"), ("auto", "auto")]
)
def test_one_precision_is_taken(features, loop):
    """Given once or twice, the encoder is looked for next."""
    with pytest.raises((SettingsError, WeightsError), match="no such folder"):
        method_of(features, loop).open(2)
