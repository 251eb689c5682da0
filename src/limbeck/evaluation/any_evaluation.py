"""Evaluations of every shape of answer, and how one of them is read again.

In: what `to_dict` of an evaluation returned. Out: that evaluation. It does not know models, texts or files.
"""

from collections.abc import Mapping
from typing import Any

from limbeck.evaluation.evaluation import Evaluation
from limbeck.evaluation.multi_evaluation import MultiEvaluation
from limbeck.evaluation.ordinal_evaluation import OrdinalEvaluation
from limbeck.evaluation.value_evaluation import ValueEvaluation

ShapeEvaluation = MultiEvaluation | OrdinalEvaluation | ValueEvaluation
"""What is known of answers that are not one label per row."""
AnyEvaluation = Evaluation | ShapeEvaluation


def read_evaluation(values: Mapping[str, Any]) -> AnyEvaluation:
    """Return an evaluation of what its `to_dict` returned, which names the task where it is not one label per row.

    Raises:
        DataError: a key is missing or a value is of the wrong kind.
    """
    task = values.get("task")
    if task == "multi":
        return MultiEvaluation.from_dict(values)
    if task == "ordinal":
        return OrdinalEvaluation.from_dict(values)
    return ValueEvaluation.from_dict(values) if task == "regression" else Evaluation.from_dict(dict(values))
