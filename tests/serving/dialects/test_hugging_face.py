"""Hugging Face's own client, at the address of the server."""

import numpy as np
import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError
from tests.serving.in_process import ask, identity_holds, running, vector_of


@pytest.mark.parametrize("path", ["/", "/hf"])
def test_answers_are_always_nested(path, make_front):
    """A list for each text, so that no client drops all labels but the first; one text too."""
    front, service = make_front()
    names = service.predictor.predict(["so sad", "it is"]).top_k(3)
    one = ask(front, path, {"inputs": "so sad"}).json
    two = ask(front, path, {"inputs": ["so sad", "it is"]}).json
    assert [label["label"] for label in one[0]] == [label["label"] for label in two[0]]
    assert (len(one), len(two)) == (1, 2)
    assert [[label["label"] for label in row] for row in two] == [
        [service.model.facts.label_names[label] for label in row] for row in names.labels
    ]


@pytest.mark.parametrize(
    ("kind", "function", "status"),
    [
        ("single", None, 200),
        ("single", "softmax", 200),
        ("single", "sigmoid", 422),
        ("single", "none", 422),
        ("multi", "sigmoid", 200),
        ("multi", "softmax", 422),
        ("ordinal", "sigmoid", 422),
        ("regression", None, 422),
        ("single", "tanh", 422),
    ],
)
def test_another_function_is_refused(kind, function, status, make_front):
    """Never a softmax in silence where a sigmoid was asked for; a number is no label."""
    front, _ = make_front(kind)
    assert ask(front, "/", {"inputs": "a", "parameters": {"function_to_apply": function}}).status == status


def test_its_client_classifies(make_front):
    """InferenceClient, unchanged: top_k labels, in order, with the library's probabilities."""
    front, service = make_front()
    with running(front) as url:
        client = InferenceClient(model=url)
        found = client.text_classification("i feel fine", top_k=2)
        vectors = InferenceClient(model=f"{url}/embed").feature_extraction("so sad", normalize=False)
        with pytest.raises(HfHubHTTPError, match="422"):
            client.text_classification("i feel fine", function_to_apply="sigmoid")
    own = service.predictor.predict(["i feel fine"]).top_k(2)
    assert [one.label for one in found] == [service.model.facts.label_names[label] for label in own.labels[0]]
    assert np.array_equal(np.array([one.score for one in found], np.float32), own.probabilities[0])
    assert vectors.tolist() == [vector_of("so sad").tolist()]
    assert identity_holds(front)
