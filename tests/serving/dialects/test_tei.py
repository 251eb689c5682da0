"""text-embeddings-inference: its client, its shapes, and what it would leave open."""

import asyncio
import contextlib
import json
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tei_client import ClassificationTuple, HttpClient
from tests.serving.in_process import ask, identity_holds, running, vector_of

from limbeck.serving.dialects import tei

TEXTS = ["i feel fine", "so sad today", "슬픔 😀", ""]


@contextlib.contextmanager
def client_of(url):
    client = HttpClient(url)
    yield client
    client.client.close()
    asyncio.run(client.async_client.aclose())


def by_label(scores):
    return {one["label"]: one["score"] for one in scores}


def expected(service, text):
    found = service.predictor.predict([text])
    shares = dict(zip(found.label_names, found.probabilities[0].astype(float).tolist(), strict=True))
    return pytest.approx(shares, abs=1e-6)  # in other company torch adds in another order


def test_one_text_has_a_flat_answer(make_front):
    """Sorted, the most probable first; a list of one text is one text, too."""
    front, service = make_front()
    for inputs in ("so sad", ["so sad"]):
        reply = ask(front, "/predict", {"inputs": inputs})
        assert by_label(reply.json) == expected(service, "so sad")
        scores = [one["score"] for one in reply.json]
        assert scores == sorted(scores, reverse=True)
    assert reply.headers["x-compute-tokens"] == "4"


@pytest.mark.parametrize("path", ["/predict", "/invocations"])
def test_a_batch_is_a_list_of_lists(path, make_front):
    """One list for each text, in their order."""
    front, service = make_front()
    reply = ask(front, path, {"inputs": [[text] for text in TEXTS]})
    assert [by_label(scores) for scores in reply.json] == [expected(service, text) for text in TEXTS]


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        (["a", "b"], 'send [["a"], ["b"]]'),
        (["a", "b", "c"], "a list of lists"),
        ([["a", "b"]], "a pair of texts"),
        ([["a"], "b"], "a list of lists"),
        ([[]], "a list"),
        ([], "empty list"),
        (5, "a whole number"),
        ([5], "a list of lists"),
        ([[5]], "a whole number"),
        (None, "null"),
    ],
)
def test_what_could_mean_two_things_is_refused(inputs, said, make_front):
    """A flat list of two texts is a pair in this dialect: never one answer for two texts."""
    front, service = make_front()
    reply = ask(front, "/predict", {"inputs": inputs})
    assert (reply.status, reply.json["error_type"]) == (422, "Validation")
    assert said in reply.json["error"]
    assert service.asked == []


def test_pairs_of_a_model_that_reads_pairs(make_front):
    """Flat for one pair, a list of lists for several."""
    front, service = make_front("pair")
    flat = ask(front, "/predict", {"inputs": ["i feel", "fine"]})
    batch = ask(front, "/predict", {"inputs": [["i feel", "fine"], ["so", "sad"]]})
    own = expected(service, "i feel [SEP] fine")
    assert by_label(flat.json) == own
    assert by_label(batch.json[0]) == own
    assert len(batch.json) == 2


def test_what_it_cannot_say_is_refused(make_front):
    """A number is no score; raw scores are not given."""
    front, _ = make_front("regression")
    assert ask(front, "/predict", {"inputs": "a"}).status == 422
    front, _ = make_front()
    assert ask(front, "/predict", {"inputs": "a", "raw_scores": True}).status == 422
    assert ask(front, "/predict", {"inputs": "a", "raw_scores": False}).status == 200


@pytest.mark.parametrize(
    ("kind", "direction", "status"),
    [
        ("single", "right", 200),
        ("single", "Right", 200),
        ("single", "left", 422),
        ("tail", "left", 200),
        ("tail", "right", 422),
    ],
)
def test_another_side_of_cutting_is_refused_where_a_text_is_cut(kind, direction, status, make_front):
    """A text that is not cut is answered whatever the side."""
    front, _ = make_front(kind)
    for route in ("/predict", "/embed"):
        body = {"inputs": "very " * 40, "truncation_direction": direction}
        assert ask(front, route, body).status == status
        assert ask(front, route, {**body, "inputs": "so sad"}).status == 200


@pytest.mark.parametrize(("path", "name"), [("/predict", "inputs"), ("/embed", "inputs"), ("/", "inputs")])
def test_cutting_is_told_on_every_route(path, name, make_front):
    """The header is the same everywhere."""
    front, _ = make_front()
    reply = ask(front, path, {name: "very " * 40})
    assert reply.headers["x-limbeck-truncated"] == "rows=1;tokens=30"


def test_vertex_is_a_batch_of_instances(make_front):
    """Each instance has the answer that /predict would give it."""
    front, service = make_front()
    reply = ask(front, "/vertex", {"instances": [{"inputs": "so sad"}, {"inputs": [["a"], ["it is"]]}]})
    single, batch = reply.json["predictions"]
    assert by_label(single) == expected(service, "so sad")
    assert [by_label(scores) for scores in batch] == [expected(service, "a"), expected(service, "it is")]
    assert len(service.asked) == 1


@pytest.mark.parametrize(("normalize", "length"), [(None, 1.0), (True, 1.0), (False, None)])
def test_vectors_have_length_one_unless_told(normalize, length, make_front):
    """Float32 to the bit; a list of vectors also for one text."""
    front, _ = make_front()
    reply = ask(front, "/embed", {"inputs": "so sad", "normalize": normalize})
    (vector,) = np.array(reply.json, np.float32)
    own = vector_of("so sad")
    if length is None:
        assert np.array_equal(vector, own)
    else:
        assert np.isclose(np.linalg.norm(vector), length)
        assert np.allclose(vector, own / np.linalg.norm(own), atol=1e-7)


@pytest.mark.parametrize("more", [{"dimensions": 7}, {"prompt_name": "query"}, {"truncate": False}])
def test_vectors_of_another_kind_are_refused(more, make_front):
    """Never other vectors than were asked for."""
    front, _ = make_front()
    assert ask(front, "/embed", {"inputs": "very " * 40, **more}).status == 422


def test_tokens_are_all_tokens(make_front):
    """Those that the model does not read, too, each once; the special ones are told."""
    front, _ = make_front()
    (tokens,) = ask(front, "/tokenize", {"inputs": "so sad rainy 슬픔"}).json
    assert [one["text"] for one in tokens] == ["[CLS]", "so", "sad", "rain", "##y", "[UNK]", "[SEP]"]
    assert [one["special"] for one in tokens] == [True, False, False, False, False, True, True]
    (long,) = ask(front, "/tokenize", {"inputs": "i feel so sad today it is rain . ! " * 9}).json
    assert len(long) == 2 + 90
    assert [one["text"] for one in long[1:11]] == [one["text"] for one in long[81:91]]
    (bare,) = ask(front, "/tokenize", {"inputs": "so sad", "add_special_tokens": False}).json
    assert [one["text"] for one in bare] == ["so", "sad"]


def test_tokens_of_too_long_a_text_are_refused(make_front):
    """The limit of characters holds here, too."""
    front, _ = make_front(max_characters=10)
    assert ask(front, "/tokenize", {"inputs": ["a", "a" * 11]}).json["row"] == 1


def test_its_client_predicts(make_front):
    """tei-client, unchanged: one text, a batch, tokens, what the model is; its batch of two texts is no pair."""
    front, service = make_front()
    with running(front) as url, client_of(url) as client:
        assert client.health()
        info = client.info()
        single, batch = client.classify("so sad"), client.classify(["so sad", "it is"])
        (tokens,) = client.tokenize("so sad")
    assert [{one.label: one.score for one in found.scores} for found in batch] == [
        expected(service, "so sad"),
        expected(service, "it is"),
    ]
    assert {one.label: one.score for one in single[0].scores} == expected(service, "so sad")
    assert [token.text for token in tokens.tokens] == ["[CLS]", "so", "sad", "[SEP]"]
    assert (info.server_model_id, info.max_client_batch_size, info.max_input_length) == ("tiny", 1024, 12)
    assert info.server_model_metadata.id2label == {"0": "joy", "1": "sadness", "2": "슬픔"}
    assert identity_holds(front)


def test_its_client_sends_pairs(make_front):
    """Its own type for two texts is a pair to a model that reads pairs."""
    front, service = make_front("pair")
    with running(front) as url, client_of(url) as client:
        (found,) = client.classify(ClassificationTuple("i feel", "fine"))
    assert {one.label: one.score for one in found.scores} == expected(service, "i feel [SEP] fine")


def test_its_client_embeds_with_a_model_of_numbers(make_front):
    """A model without labels is one of vectors to this client, which asks no other for them."""
    front, _ = make_front("regression")
    with running(front) as url, client_of(url) as client:
        vectors = client.embed(["so sad"], normalize=False)
    assert np.array_equal(np.array(vectors, np.float32), vector_of("so sad")[None])


def test_large_answers_are_made_one_at_a_time(make_front, monkeypatch):
    """Tokens of many requests at once would fill the memory: each waits for its turn, and others are answered."""
    front, _ = make_front()
    active = most = 0
    write = tei._tokens_as_json

    def counted(*given, **named):
        nonlocal active, most
        active += 1
        most = max(most, active)
        time.sleep(0.0002)
        active -= 1
        return write(*given, **named)

    monkeypatch.setattr(tei, "_tokens_as_json", counted)
    with running(front) as url, ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: post(url, "/tokenize", {"inputs": ["so sad"] * 20}), range(16)))
    assert found == [200] * 16
    assert most == 1


def test_a_turn_that_does_not_come_in_time(make_front, monkeypatch):
    """504 after the time of a request."""
    front, _ = make_front(timeout_s=0.05)

    monkeypatch.setattr(tei, "_tokens_as_json", lambda *given, **named: time.sleep(0.3))
    reply = ask(front, "/tokenize", {"inputs": "so sad"})
    assert (reply.status, reply.json["error_type"]) == (504, "Backend")
    monkeypatch.undo()
    assert ask(front, "/tokenize", {"inputs": "so sad"}).status == 200
    assert identity_holds(front)


def post(url, path, value):
    """Ask for a path of a server; return the status."""
    body = json.dumps(value).encode()
    asked = urllib.request.Request(url + path, body, {"content-type": "application/json"})  # noqa: S310  # of this machine
    with urllib.request.urlopen(asked, timeout=20) as answer:  # noqa: S310  # the same
        return answer.status
