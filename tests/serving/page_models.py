"""Models as the page shows them: of each task, with labels that would do harm if they were not escaped."""

from typing import Any, cast

from limbeck.evaluation.conformal import ConformalWidth
from limbeck.model.blocks import Block
from limbeck.model.facts import BundleFacts
from limbeck.serving.service import Condition, ServedModel
from limbeck.settings import TaskKind
from limbeck.tokens.windows import Window

TASK_NAMES: tuple[TaskKind, ...] = ("single", "ordinal", "multi", "regression")
HARM = "<img src=x onerror=\"document.title='owned'\">"
LABELS = ("joy", HARM, "기쁨과 슬픔", "</script><script>document.title='owned'</script>", "a\u202eb")
DIGEST = "5a" * 32


def facts_of(task: TaskKind, **more: Any) -> BundleFacts:
    """Facts of a model of a task; `more` says otherwise."""
    own: dict[str, Any] = {
        "single": {"thresholds": (0.0, 0.4, 0.5, 0.6, 1.0)},
        "multi": {"label_thresholds": (0.1, 0.2, 0.5, 0.6, 2.0)},
        "ordinal": {},
        "regression": {"value_width": ConformalWidth(level=0.9, half_width=1.928, rows=163, found_on="validation")},
    }[task]
    values = {
        "head": "linear",
        "blocks": (Block(layer=6, pooling="mean"),),
        "max_tokens": 8,
        "label_names": () if task == "regression" else LABELS,
        "task": task,
    }
    return BundleFacts(**{**values, **own, **more})


def served(facts: BundleFacts) -> ServedModel:
    """A model that is served, of its facts."""
    return ServedModel(
        name="moods",
        digest=DIGEST,
        facts=facts,
        tokenizer=cast("Any", None),
        window=Window(name=facts.window or "head", max_tokens=facts.max_tokens),
        numerics="torch-float32",
        vector_width=8,
        vector_pooling="mean@6",
    )


def condition(*, is_ready: bool = True) -> Condition:
    """A service that has nothing to do."""
    return Condition(
        is_ready=is_ready,
        why="" if is_ready else "the engine is being replaced",
        waiting_tokens=0,
        waiting_texts=0,
        tokens_per_s=1.0,
        predicted_wait_s=0.0,
        engine_restarts=0,
        swaps={},
    )
