"""Fine-tuning: settings that cannot go together are refused before anything is loaded."""

import pytest

from limbeck import read
from limbeck.errors import SettingsError, WeightsError
from limbeck.methods.finetune import finetune
from limbeck.methods.trainings import Finetuning
from limbeck.settings import FeatureSettings, FinetuneSettings


def train(tmp_path, features, loop):
    (tmp_path / "train.csv").write_text("text,label\n" + "so fine,joy\nso sad,sadness\n" * 20, "utf-8")
    settings = Finetuning(
        features=FeatureSettings(encoder="no such folder/encoder", pooling="cls", precision=features),
        finetune=FinetuneSettings(precision=loop),
    )
    finetune(read(tmp_path / "train.csv"), tmp_path / "RUN", settings)


@pytest.mark.parametrize(("features", "loop"), [("float32", "bfloat16"), ("bfloat16", "float32")])
def test_two_precisions_of_one_run_are_refused(tmp_path, features, loop):
    """Both are named, with their tables."""
    with pytest.raises(SettingsError, match=f"'{features}' in the table features and '{loop}' in finetune"):
        train(tmp_path, features, loop)


@pytest.mark.parametrize(
    ("features", "loop"), [("auto", "float32"), ("bfloat16", "auto"), ("float32", "float32"), ("auto", "auto")]
)
def test_one_precision_is_taken(tmp_path, features, loop):
    """Given once or twice, the encoder is looked for next."""
    with pytest.raises((SettingsError, WeightsError), match="no such folder"):
        train(tmp_path, features, loop)
