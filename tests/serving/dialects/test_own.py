"""`POST /classify`: everything that a model of each task answers, to the bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.serving.in_process import DIGEST, KINDS, ask

from limbeck.data.text_pairs import TextPair

TEXTS = ["i feel fine", "so sad today", "it is rain", "", "슬픔 😀", "very " * 40]
PAIRS = [["i feel fine", "so sad"], ["it is", "rain"]]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("regression", "multi", "pair")])
def test_probabilities_are_those_of_predict_to_the_bit(kind, make_front):
    """Of one label per text, ordered or not: label, unsure and every probability are what `Predictor.predict` says."""
    front, service = make_front(kind)
    reply = ask(front, "/classify", {"input": TEXTS})
    found = service.predictor.predict(TEXTS)
    rows = reply.json["data"]
    assert (reply.status, [row["index"] for row in rows]) == (200, list(range(len(TEXTS))))
    assert np.array_equal(np.array([row["probs"] for row in rows], np.float32), found.probabilities)
    assert [row["label"] for row in rows] == found.predicted_names
    assert [row["unsure"] for row in rows] == (
        [False] * len(TEXTS) if found.unsure is None else [bool(one) for one in found.unsure]
    )
    assert [row["tokens"] for row in rows] == found.tokens.tolist()
    assert reply.json["label_names"] == list(found.label_names)


def test_several_labels_are_a_list(make_front):
    """Of any number of labels: those that reach their threshold, and the thresholds; no label stands alone."""
    front, service = make_front("multi")
    reply = ask(front, "/classify", {"input": TEXTS})
    found = service.predictor.predict(TEXTS)
    assert [tuple(row["labels"]) for row in reply.json["data"]] == found.answers
    assert all("label" not in row and "unsure" not in row for row in reply.json["data"])
    assert reply.json["thresholds"] == [0.2, 0.5, 0.4]
    assert len({len(row["labels"]) for row in reply.json["data"]}) > 1


def test_a_number_has_its_interval(make_front):
    """Of numbers: the number and its interval, and nothing that looks like a label."""
    front, service = make_front("regression")
    rows = ask(front, "/classify", {"input": TEXTS[:2]}).json["data"]
    found = service.predictor.predict(TEXTS[:2])
    assert np.array_equal(np.array([row["value"] for row in rows], np.float32), found.values)
    exact = float(found.values[0])
    assert rows[0]["interval"] == {"level": 0.9, "low": exact - 0.25, "high": exact + 0.25}
    assert "label" not in rows[0]
    assert "probs" not in rows[0]


def test_pairs_are_lists_of_two_or_one_string(make_front):
    """A model that reads pairs takes [first, second], and the string that stands for both, with one answer."""
    front, service = make_front("pair")
    reply = ask(front, "/classify", {"input": PAIRS})
    found = service.predictor.predict([TextPair(*pair) for pair in PAIRS])
    assert np.array_equal(np.array([row["probs"] for row in reply.json["data"]], np.float32), found.probabilities)
    joined = ask(front, "/classify", {"input": [" [SEP] ".join(pair) for pair in PAIRS]})
    assert joined.json["data"] == reply.json["data"]


def test_a_text_alone_is_a_list_of_one(make_front):
    """The same treatment and the same row, whatever form the request has."""
    front, _ = make_front()
    alone, listed = (ask(front, "/classify", {"input": value}) for value in ("so sad", ["so sad"]))
    assert alone.json["data"] == listed.json["data"]


def test_cut_texts_are_told(make_front):
    """In the row, in a header and in the counts; with truncate=false the request is refused, and says which text."""
    front, service = make_front()
    long = "very " * 40
    reply = ask(front, "/classify", {"input": ["so sad", long]})
    assert [row["truncated"] for row in reply.json["data"]] == [False, True]
    assert reply.json["data"][1]["tokens"] == 42
    assert reply.json["data"][1]["tokens_cut"] == 30
    assert reply.headers["x-limbeck-truncated"] == "rows=1;tokens=30"
    assert reply.json["usage"]["prompt_tokens"] == 4 + 12
    assert front.accounts.cut_tokens == 30
    refused = ask(front, "/classify", {"input": ["so sad", long], "truncate": False})
    assert (refused.status, refused.json["row"]) == (422, 1)
    assert service.asked[-1].truncate is False


def test_unsure_is_told_in_a_header(make_front):
    """Which texts the model is unsure of, by their numbers."""
    front, service = make_front("unsure")
    reply = ask(front, "/classify", {"input": TEXTS})
    unsure = np.flatnonzero(service.predictor.predict(TEXTS).unsure)
    assert 0 < len(unsure) < len(TEXTS)
    assert reply.headers["x-limbeck-unsure"] == f"count={len(unsure)};rows={','.join(map(str, unsure))}"
    assert front.accounts.unsure.total() == len(unsure)


def test_the_shape_is_a_superset_of_vllms(make_front):
    """Every name that vLLM's `ClassificationResponse` has, with the same kind of value."""
    front, _ = make_front()
    found = ask(front, "/classify", {"input": "so sad", "model": "tiny"}).json
    assert {name: type(found[name]) for name in ("id", "object", "created", "model", "data", "usage")} == {
        "id": str,
        "object": str,
        "created": int,
        "model": str,
        "data": list,
        "usage": dict,
    }
    row = found["data"][0]
    assert {name: type(row[name]) for name in ("index", "label", "probs", "num_classes")} == {
        "index": int,
        "label": str,
        "probs": list,
        "num_classes": int,
    }
    assert found["model_sha"] == DIGEST


@pytest.mark.parametrize(("top_k", "count"), [(None, 3), (1, 1), (2, 2), (3, 3)])
def test_top_k_names_the_most_probable(top_k, count, make_front):
    """`top` has names and probabilities, the highest first, and as many as are asked for."""
    front, _ = make_front()
    row = ask(front, "/classify", {"input": "so sad", "top_k": top_k}).json["data"][0]
    shares = [one["probability"] for one in row["top"]]
    assert shares == sorted(row["probs"], reverse=True)[:count]
    assert row["top"][0]["label"] == row["label"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"input": 5}, "input is a whole number"),
        ({"input": None}, "input is null"),
        ({}, "input is missing"),
        ({"input": []}, "empty list"),
        ({"input": {"a": 1}}, "an object"),
        ({"input": ["a", 5]}, "input[1] is a whole number"),
        ({"input": ["a", 5.5, True]}, "input[2] is true or false"),
        ({"input": ["a", None]}, "input[1] is null"),
        ({"input": [[1, 2], "b"]}, "input[0] is a list of whole numbers"),
        ({"input": [["a", "b"]]}, "input[0] is a pair of texts"),
        ({"input": [["a"]]}, "input[0] is a list"),
        ({"input": ["\ud800"]}, "half of a surrogate pair"),
        ({"input": "a", "top_k": 4}, "the model has 3 labels"),
        ({"input": "a", "top_k": 0}, "top_k is below"),
        ({"input": "a", "truncate": "yes"}, "truncate is a text"),
        ({"input": "a", "truncate_prompt_tokens": 5}, "reads 12 tokens"),
        ({"input": "a", "use_activation": False}, "'use_activation' is unknown"),
        ({"input": "a", "timeout_s": 0}, "timeout_s is below"),
        ({"inptu": "a"}, "did you mean 'input'"),
    ],
)
def test_what_is_no_text_is_refused_by_its_place(body, said, make_front):
    """Never an answer to something else: 422, the place, and what was expected."""
    front, service = make_front()
    reply = ask(front, "/classify", body)
    assert reply.status == 422
    assert said in reply.json["error"]
    assert service.asked == []


def test_all_faults_are_told_at_once_and_bounded(make_front):
    """A thousand faults are counted, and twenty are shown."""
    front, _ = make_front()
    reply = ask(front, "/classify", {"input": [1] * 1000})
    assert "1,000 of 1,000 texts" in reply.json["error"]
    assert len(reply.json["error"]) < 4000
    assert reply.json["row"] == 0


def test_one_text_for_a_model_of_pairs_is_refused(make_front):
    """A pair model says what it reads, and how to send it."""
    front, _ = make_front("pair")
    reply = ask(front, "/classify", {"input": ["i feel fine"]})
    assert reply.status == 422
    assert "question and answer" in reply.json["error"]


def test_another_model_is_not_found(make_front):
    """404 names the model that is served."""
    front, _ = make_front()
    reply = ask(front, "/classify", {"input": "a", "model": "other"})
    assert (reply.status, reply.json["error_type"]) == (404, "not_found")
    assert "'tiny' is served" in reply.json["error"]
    patient, _ = make_front(any_model_name=True)
    assert ask(patient, "/classify", {"input": "a", "model": "other"}).json["model"] == "tiny"


def test_more_texts_than_the_limit_are_refused_with_it(make_front):
    """413 names the limit, what was sent and the option, at the limit + 1; at the limit it is answered."""
    front, service = make_front(max_texts=3)
    assert ask(front, "/classify", {"input": ["a"] * 3}).status == 200
    reply = ask(front, "/classify", {"input": ["a"] * 4})
    assert (reply.status, reply.json["limit"], reply.json["given"]) == (413, 3, 4)
    assert "--max-texts" in reply.json["error"]
    assert len(service.asked) == 1


@pytest.mark.parametrize(("wished", "given"), [(None, 30.0), (0.5, 0.5), (3600, 30.0)])
def test_a_request_may_ask_for_less_time_only(wished, given, make_front):
    """`timeout_s` is the client's wish or the server's limit, whichever is less."""
    front, service = make_front()
    ask(front, "/classify", {"input": "a", "timeout_s": wished})
    assert service.asked[0].timeout_s == given


def test_any_text_is_answered_as_the_library_answers_it(make_front):
    """Whatever signs a text has: control signs, both directions of writing, signs beside the first plane."""
    front, service = make_front()

    @settings(max_examples=25, deadline=None)
    @given(st.lists(st.text(max_size=30), min_size=1, max_size=4))
    def hold(texts):
        reply = ask(front, "/classify", {"input": texts})
        assert reply.status == 200
        probs = np.array([row["probs"] for row in reply.json["data"]], np.float32)
        assert np.array_equal(probs, service.predictor.predict(texts).probabilities)

    hold()
