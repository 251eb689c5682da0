"""The model card as the hub reads it: metadata on top of what the bundle's card says.

In: the bundle's facts and card, the run's figures where they are known. Out: the text of README.md.
It says nothing that was not measured.
"""

from collections.abc import Mapping
from typing import Any

from limbeck.hub.ids import HubId, is_hub_id, parse_hub_id
from limbeck.model.facts import BundleFacts
from limbeck.settings import TaskKind

TASK = "text-classification"
_MEASURES: dict[TaskKind, dict[str, tuple[str, str]]] = {
    "single": {
        "accuracy": ("accuracy", "Accuracy"),
        "f1_weighted": ("f1", "F1, weighted"),
        "f1_macro": ("f1", "F1, macro"),
    },
    "multi": {
        "f1_micro": ("f1", "F1, micro"),
        "f1_macro": ("f1", "F1, macro"),
        "subset_accuracy": ("accuracy", "All labels right"),
    },
    "ordinal": {
        "quadratic_kappa": ("cohen_kappa", "Quadratic kappa"),
        "mae": ("mae", "Mean error, steps"),
        "accuracy": ("accuracy", "Accuracy"),
    },
    "regression": {
        "pearson": ("pearsonr", "Pearson correlation"),
        "spearman": ("spearmanr", "Spearman correlation"),
        "mae": ("mae", "Mean absolute error"),
    },
}
"""Shape of answers → name in metrics.json → the hub's type of metric, and its name in words."""


def hub_card(
    facts: BundleFacts, body: str, place: HubId, *, metrics: Mapping[str, Any] | None, license_id: str | None
) -> str:
    """Return README.md: YAML that the hub shows and searches, then the bundle's own card.

    Args:
        facts: of the bundle.
        body: its card, Markdown.
        place: where it goes.
        metrics: what the run's metrics.json says; no results are stated without it.
        license_id: the hub's word for a licence, such as "apache-2.0"; none is stated when not given.
    """
    from huggingface_hub import EvalResult, ModelCardData

    data = _hub_place(facts.provenance, "data", "source")
    encoder = _hub_place(facts.provenance, "encoder", "name")
    found = (metrics or {}).get("validation", {})
    results = [
        EvalResult(
            task_type=TASK,
            dataset_type=data.repo if data else "own-data",
            dataset_name=data.repo if data else "own data",
            dataset_config=data.config if data else None,
            dataset_split="validation",
            dataset_revision=data.revision if data else None,
            metric_type=kind,
            metric_name=words,
            metric_value=round(found[name], 4),
        )
        for name, (kind, words) in _MEASURES[facts.task].items()
        if found.get(name) is not None
    ]
    measures = _MEASURES[facts.task]
    is_whole = facts.head == "classification"
    metadata = ModelCardData(
        model_name=place.repo.rpartition("/")[2],
        license=license_id,
        # With the tag the hub offers code that opens the model in transformers, which a linear head does not.
        pipeline_tag=TASK if is_whole else None,
        library_name="transformers" if is_whole else "limbeck",
        tags=["limbeck", "distilbert", TASK],
        base_model=encoder.repo if encoder else None,
        datasets=[data.repo] if data else None,
        metrics=sorted({kind for kind, _ in measures.values()}) if results else None,
        eval_results=results or None,
    )
    body = body.replace('limbeck.load("this folder")', f'limbeck.load("hub:{place.repo}")')
    more = _TRANSFORMERS[facts.task].format(repo=place.repo, example=_example(facts)) if is_whole else ""
    return f"---\n{metadata.to_yaml()}\n---\n\n{body}{more}"


_CODE = """

```python
from transformers import pipeline
print(pipeline("text-classification", model="{repo}")({example}))
```
"""
_TRANSFORMERS: dict[TaskKind, str] = {
    "single": f"\nIt opens in transformers too, and gives the same probabilities:\n{_CODE}",
    "multi": "\nIt opens in transformers too, and gives the same probabilities, of each label by itself; which labels "
    "are\ngiven is decided by the thresholds in limbeck.json:\n"
    + _CODE.replace("({example}", "({example}, top_k=None"),
    "ordinal": "\nIt opens in transformers too, but as what it computes inside: for each class but the last, how "
    "probably a text\nthat is not below it is above it. Use limbeck, which makes classes of that.\n",
    "regression": "\nIt opens in transformers too, and gives the same numbers:\n"
    + _CODE.replace("({example}", '({example}, function_to_apply="none"'),
}
"""What a model that opens in transformers says there, for each shape of answers."""


def _example(facts: BundleFacts) -> str:
    """Return what a pipeline of transformers takes: a text, or an object with two."""
    if facts.pair is None:
        return '"your text"'
    return '{"text": "first text", "text_pair": "second text"}'


def _hub_place(provenance: Mapping[str, Any], part: str, key: str) -> HubId | None:
    """Return where on the hub the data or the encoder came from, or None where they did not."""
    told = provenance.get(part)
    name = told.get(key) if isinstance(told, Mapping) else None
    return parse_hub_id(name, has_data=True) if isinstance(name, str) and is_hub_id(name) else None
