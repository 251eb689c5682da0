"""limbeck distils text into labels, with DistilBERT, on your own machine.

The public names, each loaded on first use: importing limbeck loads no torch.

Example:
    >>> import limbeck
    >>> data = limbeck.from_lists(["so happy", "so sad"], ["joy", "sadness"])
    >>> print(data)
    Dataset of 2 rows: train 2
    labels: joy, sadness
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # For type checkers and editors; a test holds that these are the names of `_HOMES`.
    from limbeck.api.fitting import sweep as sweep
    from limbeck.api.fitting import train as train
    from limbeck.api.judging import clear_thresholds as clear_thresholds
    from limbeck.api.judging import compare as compare
    from limbeck.api.judging import evaluate as evaluate
    from limbeck.api.judging import threshold as threshold
    from limbeck.api.preparing import audit as audit
    from limbeck.api.preparing import clean as clean
    from limbeck.api.preparing import split as split
    from limbeck.api.reports import ReportSettings as ReportSettings
    from limbeck.api.reports import WrittenReport as WrittenReport
    from limbeck.api.reports import report as report
    from limbeck.api.reviewing import apply_corrections as apply_corrections
    from limbeck.api.reviewing import find_label_issues as find_label_issues
    from limbeck.api.reviewing import find_tag_issues as find_tag_issues
    from limbeck.api.reviewing import write_sheet as write_sheet
    from limbeck.auditing.audit import Audit as Audit
    from limbeck.auditing.clean import Cleaning as Cleaning
    from limbeck.auditing.findings import Finding as Finding
    from limbeck.auditing.resplit import Resplit as Resplit
    from limbeck.catalog.presets import load_tokenizer as load_tokenizer
    from limbeck.classifier.probe_classifier import ProbeClassifier as ProbeClassifier
    from limbeck.classifier.text_classifier import TextClassifier as TextClassifier
    from limbeck.classifier.text_features import TextFeatures as TextFeatures
    from limbeck.classifier.text_regressor import TextRegressor as TextRegressor
    from limbeck.data.dataset import Dataset as Dataset
    from limbeck.data.dataset import ReadNote as ReadNote
    from limbeck.data.write import write as write
    from limbeck.errors import BundleError as BundleError
    from limbeck.errors import DataError as DataError
    from limbeck.errors import DeadlineError as DeadlineError
    from limbeck.errors import EngineError as EngineError
    from limbeck.errors import HubError as HubError
    from limbeck.errors import HubUnreachableError as HubUnreachableError
    from limbeck.errors import Interrupted as Interrupted
    from limbeck.errors import LimbeckError as LimbeckError
    from limbeck.errors import LockedError as LockedError
    from limbeck.errors import MissingExtraError as MissingExtraError
    from limbeck.errors import MissingNameError as MissingNameError
    from limbeck.errors import ModelError as ModelError
    from limbeck.errors import NoMemoryError as NoMemoryError
    from limbeck.errors import NotReadyError as NotReadyError
    from limbeck.errors import OverloadedError as OverloadedError
    from limbeck.errors import RequestError as RequestError
    from limbeck.errors import RowError as RowError
    from limbeck.errors import ServingError as ServingError
    from limbeck.errors import SettingsError as SettingsError
    from limbeck.errors import StorageError as StorageError
    from limbeck.errors import StoreUnreachableError as StoreUnreachableError
    from limbeck.errors import Terminated as Terminated
    from limbeck.errors import TokenizerError as TokenizerError
    from limbeck.errors import TooLargeError as TooLargeError
    from limbeck.errors import TrainingError as TrainingError
    from limbeck.errors import UnauthorizedError as UnauthorizedError
    from limbeck.errors import WeightsError as WeightsError
    from limbeck.evaluation.class_scores import ClassScores as ClassScores
    from limbeck.evaluation.comparison import Comparison as Comparison
    from limbeck.evaluation.confusions import Confusion as Confusion
    from limbeck.evaluation.evaluation import Evaluation as Evaluation
    from limbeck.evaluation.hard_cases import HardCase as HardCase
    from limbeck.evaluation.hard_cases import HardCases as HardCases
    from limbeck.evaluation.hard_cases import find_hard_cases as find_hard_cases
    from limbeck.evaluation.label_thresholds import LabelThresholds as LabelThresholds
    from limbeck.evaluation.measured import Measured as Measured
    from limbeck.evaluation.multi_evaluation import MultiEvaluation as MultiEvaluation
    from limbeck.evaluation.multi_predictions import MultiPredictions as MultiPredictions
    from limbeck.evaluation.prediction_files import read_any_predictions as read_any_predictions
    from limbeck.evaluation.prediction_files import read_predictions as read_predictions
    from limbeck.evaluation.prediction_files import write_predictions as write_predictions
    from limbeck.evaluation.predictions import Predictions as Predictions
    from limbeck.evaluation.thresholds import Threshold as Threshold
    from limbeck.evaluation.thresholds import Thresholds as Thresholds
    from limbeck.evaluation.value_evaluation import ValueEvaluation as ValueEvaluation
    from limbeck.evaluation.value_predictions import ValuePredictions as ValuePredictions
    from limbeck.experiments.run_comparison import RunComparison as RunComparison
    from limbeck.experiments.shape_comparison import ShapeComparison as ShapeComparison
    from limbeck.experiments.sweep_folder import Sweep as Sweep
    from limbeck.experiments.sweep_folder import TrialFacts as TrialFacts
    from limbeck.features.text_encoder import TextEncoder as TextEncoder
    from limbeck.features.text_encoder import load_encoder as load_encoder
    from limbeck.inference.predictor import Predictor as Predictor
    from limbeck.inference.predictor import load as load
    from limbeck.inference.scoring import Scored as Scored
    from limbeck.inference.scoring import score as score
    from limbeck.methods.distil import Curriculum as Curriculum
    from limbeck.methods.distil import distil as distil
    from limbeck.methods.distil_settings import Distillation as Distillation
    from limbeck.methods.distil_settings import DistillationSettings as DistillationSettings
    from limbeck.methods.finetune import finetune as finetune
    from limbeck.methods.head import train_head as train_head
    from limbeck.methods.pretrain import PretrainedRun as PretrainedRun
    from limbeck.methods.pretrain import pretrain as pretrain
    from limbeck.methods.pretrain_settings import PretrainingSettings as PretrainingSettings
    from limbeck.methods.probe import ProbeRun as ProbeRun
    from limbeck.methods.probe import train_probe as train_probe
    from limbeck.methods.trainings import Finetuning as Finetuning
    from limbeck.methods.trainings import HeadTraining as HeadTraining
    from limbeck.methods.trainings import ProbeTraining as ProbeTraining
    from limbeck.publishing.publication import Published as Published
    from limbeck.publishing.publication import publish as publish
    from limbeck.reading.in_memory import from_arrow as from_arrow
    from limbeck.reading.in_memory import from_lists as from_lists
    from limbeck.reading.in_memory import from_pandas as from_pandas
    from limbeck.reading.in_memory import from_polars as from_polars
    from limbeck.reading.read import read as read
    from limbeck.reading.text_stream import TextStream as TextStream
    from limbeck.reading.text_stream import open_stream as open_stream
    from limbeck.reporting.picture import Picture as Picture
    from limbeck.review.corrections import Corrections as Corrections
    from limbeck.review.issues import LabelIssues as LabelIssues
    from limbeck.review.label_doubts import LabelIssue as LabelIssue
    from limbeck.review.tag_doubts import TagIssue as TagIssue
    from limbeck.review.tag_issues import TagIssues as TagIssues
    from limbeck.settings import AuditSettings as AuditSettings
    from limbeck.settings import CleanSettings as CleanSettings
    from limbeck.settings import FeatureSettings as FeatureSettings
    from limbeck.settings import FinetuneSettings as FinetuneSettings
    from limbeck.settings import HeadSettings as HeadSettings
    from limbeck.settings import ProbeSettings as ProbeSettings
    from limbeck.settings import ReadSettings as ReadSettings
    from limbeck.settings import SplitSettings as SplitSettings
    from limbeck.settings import SweepSettings as SweepSettings
    from limbeck.tokens.tokenizer import Tokenizer as Tokenizer
    from limbeck.training.outcome import LoopRun as LoopRun

__version__ = "0.1.0"

_HOMES = {
    "limbeck.api.fitting": "sweep train",
    "limbeck.api.judging": "clear_thresholds compare evaluate threshold",
    "limbeck.api.preparing": "audit clean split",
    "limbeck.api.reports": "ReportSettings WrittenReport report",
    "limbeck.api.reviewing": "apply_corrections find_label_issues find_tag_issues write_sheet",
    "limbeck.auditing.audit": "Audit",
    "limbeck.auditing.clean": "Cleaning",
    "limbeck.auditing.findings": "Finding",
    "limbeck.auditing.resplit": "Resplit",
    "limbeck.catalog.presets": "load_tokenizer",
    "limbeck.classifier.probe_classifier": "ProbeClassifier",
    "limbeck.classifier.text_classifier": "TextClassifier",
    "limbeck.classifier.text_features": "TextFeatures",
    "limbeck.classifier.text_regressor": "TextRegressor",
    "limbeck.data.dataset": "Dataset ReadNote",
    "limbeck.reading.in_memory": "from_arrow from_lists from_pandas from_polars",
    "limbeck.reading.read": "read",
    "limbeck.reading.text_stream": "TextStream open_stream",
    "limbeck.data.write": "write",
    "limbeck.errors": (
        "BundleError DataError DeadlineError EngineError HubError HubUnreachableError Interrupted "
        "LimbeckError LockedError MissingExtraError MissingNameError ModelError NoMemoryError "
        "NotReadyError OverloadedError RequestError RowError ServingError SettingsError StorageError "
        "StoreUnreachableError Terminated TokenizerError TooLargeError TrainingError UnauthorizedError WeightsError"
    ),
    "limbeck.evaluation.comparison": "Comparison",
    "limbeck.evaluation.class_scores": "ClassScores",
    "limbeck.evaluation.confusions": "Confusion",
    "limbeck.evaluation.evaluation": "Evaluation",
    "limbeck.evaluation.hard_cases": "HardCase HardCases find_hard_cases",
    "limbeck.evaluation.measured": "Measured",
    "limbeck.evaluation.multi_evaluation": "MultiEvaluation",
    "limbeck.evaluation.multi_predictions": "MultiPredictions",
    "limbeck.evaluation.prediction_files": "read_any_predictions read_predictions write_predictions",
    "limbeck.evaluation.predictions": "Predictions",
    "limbeck.evaluation.label_thresholds": "LabelThresholds",
    "limbeck.evaluation.thresholds": "Threshold Thresholds",
    "limbeck.evaluation.value_evaluation": "ValueEvaluation",
    "limbeck.evaluation.value_predictions": "ValuePredictions",
    "limbeck.experiments.sweep_folder": "Sweep TrialFacts",
    "limbeck.features.text_encoder": "TextEncoder load_encoder",
    "limbeck.inference.predictor": "Predictor load",
    "limbeck.inference.scoring": "Scored score",
    "limbeck.methods.distil": "Curriculum distil",
    "limbeck.methods.distil_settings": "Distillation DistillationSettings",
    "limbeck.methods.finetune": "finetune",
    "limbeck.methods.head": "train_head",
    "limbeck.methods.pretrain": "PretrainedRun pretrain",
    "limbeck.methods.pretrain_settings": "PretrainingSettings",
    "limbeck.methods.probe": "ProbeRun train_probe",
    "limbeck.methods.trainings": "Finetuning HeadTraining ProbeTraining",
    "limbeck.publishing.publication": "Published publish",
    "limbeck.reporting.picture": "Picture",
    "limbeck.experiments.run_comparison": "RunComparison",
    "limbeck.experiments.shape_comparison": "ShapeComparison",
    "limbeck.review.corrections": "Corrections",
    "limbeck.review.issues": "LabelIssues",
    "limbeck.review.label_doubts": "LabelIssue",
    "limbeck.review.tag_doubts": "TagIssue",
    "limbeck.review.tag_issues": "TagIssues",
    "limbeck.settings": (
        "AuditSettings CleanSettings FeatureSettings FinetuneSettings HeadSettings ProbeSettings "
        "ReadSettings SplitSettings SweepSettings"
    ),
    "limbeck.tokens.tokenizer": "Tokenizer",
    "limbeck.training.outcome": "LoopRun",
}
"""The public names by the module where they are at home."""
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

_NEED_SKLEARN = ("ProbeClassifier", "TextClassifier", "TextFeatures", "TextRegressor")
# `from limbeck import *` takes what can be had.
_ABSENT = () if find_spec("sklearn") else _NEED_SKLEARN
__all__ = [name for name in ("__version__", *_HOME_OF) if name not in _ABSENT]


def __getattr__(name: str) -> Any:
    """Import a public name from its home on first use."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'limbeck' has no attribute {name!r}; it has {', '.join(sorted(_HOME_OF))}")
    from limbeck.errors import MissingExtraError, MissingNameError

    try:
        return getattr(import_module(_HOME_OF[name]), name)
    except MissingExtraError as error:
        raise MissingNameError(str(error)) from error


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted(__all__)
