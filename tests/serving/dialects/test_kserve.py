"""KServe's protocol V1: names of labels, never numbers of classes."""

import numpy as np
import pytest
from tests.serving.in_process import ask

TEXTS = ["i feel fine", "so sad today"]


@pytest.mark.parametrize("kind", ["single", "multi", "ordinal", "regression"])
def test_predictions_are_what_the_library_answers(kind, make_front):
    """A name, a list of names, or a number: as `Predictions.answers` has them."""
    front, service = make_front(kind)
    reply = ask(front, "/v1/models/tiny:predict", {"instances": TEXTS})
    expected = [list(one) if isinstance(one, tuple) else one for one in service.predictor.predict(TEXTS).answers]
    found = reply.json["predictions"]
    assert reply.status == 200
    assert (np.float32(found).tolist() if kind == "regression" else found) == expected


def test_what_is_unsure_is_told(make_front):
    """The name stays, as in the other dialects, and a header says of which the model is unsure."""
    front, service = make_front("unsure")
    reply = ask(front, "/v1/models/tiny:predict", {"instances": ["so sad today"] * 2})
    found = service.predictor.predict(["so sad today"] * 2)
    assert reply.json["predictions"] == found.predicted_names
    assert ("x-limbeck-unsure" in reply.headers) == bool(found.unsure.any())


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/models/other:predict", {"instances": TEXTS}, 404),
        ("/v1/models/..:predict", {"instances": TEXTS}, 404),
        ("/v1/models/tiny:predict", {"instances": [1]}, 422),
        ("/v1/models/tiny:predict", {"instances": [{"text": "a"}]}, 422),
        ("/v1/models/tiny:predict", {}, 422),
        ("/v1/models/tiny:predict", b"[", 400),
    ],
)
def test_what_is_wrong_is_one_sentence(path, body, status, make_front):
    """In the one name that this dialect has for it."""
    front, _ = make_front()
    reply = ask(front, path, body)
    assert (reply.status, set(reply.json)) == (status, {"error"})
