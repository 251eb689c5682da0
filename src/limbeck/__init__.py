"""limbeck distils text into labels, with DistilBERT, on your own machine.

The public names, each loaded on first use: importing limbeck loads no torch.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from limbeck.catalog.presets import load_tokenizer as load_tokenizer
    from limbeck.classifier.probe_classifier import ProbeClassifier as ProbeClassifier
    from limbeck.classifier.text_classifier import TextClassifier as TextClassifier
    from limbeck.classifier.text_features import TextFeatures as TextFeatures
    from limbeck.data.dataset import Dataset as Dataset
    from limbeck.errors import LimbeckError as LimbeckError
    from limbeck.evaluation.evaluation import evaluate as evaluate
    from limbeck.evaluation.hard_cases import find_hard_cases as find_hard_cases
    from limbeck.evaluation.prediction_files import read_predictions as read_predictions
    from limbeck.features.text_encoder import load_encoder as load_encoder
    from limbeck.inference.predictor import load as load
    from limbeck.inference.scoring import score as score
    from limbeck.methods.distil import Curriculum as Curriculum
    from limbeck.methods.distil import distil as distil
    from limbeck.methods.distil_settings import Distillation as Distillation
    from limbeck.methods.distil_settings import DistillationSettings as DistillationSettings
    from limbeck.methods.finetune import Finetuning as Finetuning
    from limbeck.methods.finetune import finetune as finetune
    from limbeck.methods.head import HeadTraining as HeadTraining
    from limbeck.methods.head import train_head as train_head
    from limbeck.methods.pretrain import pretrain as pretrain
    from limbeck.methods.pretrain_settings import PretrainingSettings as PretrainingSettings
    from limbeck.methods.probe import ProbeTraining as ProbeTraining
    from limbeck.methods.probe import train_probe as train_probe
    from limbeck.publishing.publication import publish as publish
    from limbeck.reading.in_memory import from_arrow as from_arrow
    from limbeck.reading.in_memory import from_lists as from_lists
    from limbeck.reading.in_memory import from_pandas as from_pandas
    from limbeck.reading.in_memory import from_polars as from_polars
    from limbeck.reading.read import read as read
    from limbeck.reading.text_stream import open_stream as open_stream
    from limbeck.review.issues import find_label_issues as find_label_issues
    from limbeck.settings import FeatureSettings as FeatureSettings
    from limbeck.settings import FinetuneSettings as FinetuneSettings
    from limbeck.settings import HeadSettings as HeadSettings
    from limbeck.settings import ProbeSettings as ProbeSettings

__version__ = "0.1.0"

_HOMES = {
    "Curriculum": "limbeck.methods.distil",
    "Dataset": "limbeck.data.dataset",
    "Distillation": "limbeck.methods.distil_settings",
    "DistillationSettings": "limbeck.methods.distil_settings",
    "FeatureSettings": "limbeck.settings",
    "FinetuneSettings": "limbeck.settings",
    "Finetuning": "limbeck.methods.finetune",
    "HeadSettings": "limbeck.settings",
    "HeadTraining": "limbeck.methods.head",
    "LimbeckError": "limbeck.errors",
    "PretrainingSettings": "limbeck.methods.pretrain_settings",
    "ProbeClassifier": "limbeck.classifier.probe_classifier",
    "ProbeSettings": "limbeck.settings",
    "ProbeTraining": "limbeck.methods.probe",
    "TextClassifier": "limbeck.classifier.text_classifier",
    "TextFeatures": "limbeck.classifier.text_features",
    "distil": "limbeck.methods.distil",
    "evaluate": "limbeck.evaluation.evaluation",
    "find_hard_cases": "limbeck.evaluation.hard_cases",
    "find_label_issues": "limbeck.review.issues",
    "finetune": "limbeck.methods.finetune",
    "from_arrow": "limbeck.reading.in_memory",
    "from_lists": "limbeck.reading.in_memory",
    "from_pandas": "limbeck.reading.in_memory",
    "from_polars": "limbeck.reading.in_memory",
    "load": "limbeck.inference.predictor",
    "load_encoder": "limbeck.features.text_encoder",
    "load_tokenizer": "limbeck.catalog.presets",
    "open_stream": "limbeck.reading.text_stream",
    "pretrain": "limbeck.methods.pretrain",
    "publish": "limbeck.publishing.publication",
    "read": "limbeck.reading.read",
    "read_predictions": "limbeck.evaluation.prediction_files",
    "score": "limbeck.inference.scoring",
    "train_head": "limbeck.methods.head",
    "train_probe": "limbeck.methods.probe",
}

__all__ = [
    "Curriculum",
    "Dataset",
    "Distillation",
    "DistillationSettings",
    "FeatureSettings",
    "FinetuneSettings",
    "Finetuning",
    "HeadSettings",
    "HeadTraining",
    "LimbeckError",
    "PretrainingSettings",
    "ProbeClassifier",
    "ProbeSettings",
    "ProbeTraining",
    "TextClassifier",
    "TextFeatures",
    "__version__",
    "distil",
    "evaluate",
    "find_hard_cases",
    "find_label_issues",
    "finetune",
    "from_arrow",
    "from_lists",
    "from_pandas",
    "from_polars",
    "load",
    "load_encoder",
    "load_tokenizer",
    "open_stream",
    "pretrain",
    "publish",
    "read",
    "read_predictions",
    "score",
    "train_head",
    "train_probe",
]

_NEED_SKLEARN = ("ProbeClassifier", "TextClassifier", "TextFeatures")
if find_spec("sklearn") is None:
    # `from limbeck import *` takes what can be had.
    __all__ = [name for name in __all__ if name not in _NEED_SKLEARN]


def __getattr__(name: str) -> Any:
    """Import a public name from its home on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'limbeck' has no attribute {name!r}; it has {', '.join(sorted(_HOMES))}")
    from limbeck.errors import MissingExtraError, MissingNameError

    try:
        return getattr(import_module(_HOMES[name]), name)
    except MissingExtraError as error:
        raise MissingNameError(str(error)) from error


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted(__all__)
