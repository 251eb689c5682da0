"""Label Studio's export as JSON: tasks with annotations become rows, one a task, as its export JSON-MIN has them.

In: the value that the file holds. Out: objects of the task's data, and of what was chosen, under the names of the
labelling tags. It does not know which of these is the label.
"""

from collections.abc import Sequence
from typing import Any

from limbeck.errors import SHOWN_FAULTS, DataError

_READ = ("choices", "rating", "number")
"""Types of results that say something about a text as a whole."""


def is_label_studio(value: Sequence[Any]) -> bool:
    """Tell whether these are tasks of Label Studio with their annotations."""
    return bool(value) and all(
        isinstance(row, dict) and isinstance(row.get("data"), dict) and isinstance(_annotations(row), list)
        for row in value
    )


def rows_of_tasks(tasks: Sequence[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    """Return a row for each task: its data, and what was chosen under the name of each labelling tag.

    A task that nobody annotated, or whose annotations were all cancelled, has no choice; one that was annotated without
    choosing anything has an empty list.

    Args:
        tasks: of the export.
        name: what messages call the file.

    Raises:
        DataError: annotators of one task differ.
    """
    given = [_given(task) for task in tasks]
    tags = list(dict.fromkeys(tag for results in given for result in results or () for tag in result))
    many = {tag for tag in tags if any(isinstance(result.get(tag), list) for one in given for result in one or ())}
    faults = [
        number for number, results in enumerate(given, 1) if results and any(one != results[0] for one in results)
    ]
    if faults:
        first = " | ".join(str(list(result.values())) for result in given[faults[0] - 1] or ())[:200]
        numbers = ", ".join(map(str, faults[:SHOWN_FAULTS])) + (", …" if len(faults) > SHOWN_FAULTS else "")
        raise DataError(
            f"{name}: {len(faults):,} of {len(tasks):,} rows have annotations that differ (first: row {faults[0]}, "
            f"{first}; rows {numbers}): which one is right is not said. Keep one annotation per task, and export again"
        )
    rows = []
    for task, results in zip(tasks, given, strict=True):
        chosen = {} if not results else {tag: results[0].get(tag, [] if tag in many else None) for tag in tags}
        rows.append({**task["data"], **chosen})
    return rows


def _annotations(task: dict[str, Any]) -> Any:
    # "completions" is what versions before 1.0 wrote.
    return task.get("annotations", task.get("completions"))


def _given(task: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what each annotation of a task says, by labelling tag."""
    found = []
    for annotation in _annotations(task):
        if not isinstance(annotation, dict) or annotation.get("was_cancelled"):
            continue
        said: dict[str, Any] = {}
        for result in annotation.get("result") or ():
            kind = result.get("type") if isinstance(result, dict) else None
            value = result.get("value") if isinstance(result, dict) else None
            if kind in _READ and isinstance(value, dict) and kind in value:
                said[str(result.get("from_name", kind))] = value[kind]
        found.append(said)
    return found
