"""The Open Inference Protocol V2 with Triton's own client: raw tensors, JSON, and the classification extension."""

import json
import struct

import numpy as np
import pytest
import tritonclient.http as triton
from tests.serving.in_process import ask, identity_holds, running, vector_of
from tritonclient.utils import InferenceServerException

INFER = "/v2/models/tiny/infer"
TEXTS = ["i feel fine", "so sad today", "슬픔 😀", ""]


def body_of(texts, shape=None, **more):
    tensor = {"name": "any", "datatype": "BYTES", "shape": shape or [len(texts)], "data": texts}
    return {"inputs": [tensor], **more}


def outputs(reply):
    return {one["name"]: one for one in reply.json["outputs"]}


@pytest.mark.parametrize("is_raw", [True, False])
@pytest.mark.parametrize("columns", [None, 1])
def test_its_client_infers(is_raw, columns, make_front):
    """tritonclient, unchanged, raw and as JSON, [N] and [N, 1]: labels by name and probabilities to the bit."""
    front, service = make_front("unsure")
    values = np.array([text.encode() for text in TEXTS], dtype=object)
    values = values if columns is None else values[:, None]
    names = ("label", "probabilities", "unsure", "tokens", "truncated", "embedding")
    with running(front) as url:
        client = triton.InferenceServerClient(url.removeprefix("http://"))
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("tiny")
        asked = triton.InferInput("text", list(values.shape), "BYTES")
        asked.set_data_from_numpy(values, binary_data=is_raw)
        wanted = [triton.InferRequestedOutput(name, binary_data=is_raw) for name in names]
        found = client.infer("tiny", [asked], outputs=wanted, request_id="7", timeout=5_000_000)
        usual = client.infer("tiny", [asked])
        client.close()
    own = service.predictor.predict(TEXTS)
    assert [_text(one) for one in found.as_numpy("label")] == own.predicted_names
    assert np.array_equal(found.as_numpy("probabilities"), own.probabilities)
    assert np.array_equal(found.as_numpy("unsure"), own.unsure)
    assert np.array_equal(found.as_numpy("tokens"), own.tokens)
    assert np.array_equal(found.as_numpy("truncated"), own.truncated)
    assert np.allclose(found.as_numpy("embedding")[0] @ vector_of(TEXTS[0]), np.linalg.norm(vector_of(TEXTS[0])))
    assert found.get_response()["id"] == "7"
    assert np.array_equal(usual.as_numpy("probabilities"), own.probabilities)
    assert usual.as_numpy("embedding") is None
    assert service.asked[0].timeout_s == 5.0
    assert identity_holds(front)


def test_its_client_asks_for_the_most_probable(make_front):
    """class_count=2 gives two names with their probabilities, in order."""
    front, service = make_front()
    with running(front) as url:
        client = triton.InferenceServerClient(url.removeprefix("http://"))
        asked = triton.InferInput("text", [1], "BYTES")
        asked.set_data_from_numpy(np.array([b"so sad"], dtype=object))
        wanted = triton.InferRequestedOutput("probabilities", class_count=2)
        rows = client.infer("tiny", [asked], outputs=[wanted]).as_numpy("probabilities")
        client.close()
    own = service.predictor.predict(["so sad"]).top_k(2)
    found = [_text(one).split(":") for one in rows[0]]
    assert [name for _, _, name in found] == [service.model.facts.label_names[label] for label in own.labels[0]]
    assert [np.float32(share) for share, _, _ in found] == own.probabilities[0].tolist()


def test_its_client_sees_what_is_wrong(make_front):
    """Its exception has the message; another model and another version are not there."""
    front, _ = make_front()
    with running(front) as url:
        client = triton.InferenceServerClient(url.removeprefix("http://"))
        metadata = client.get_model_metadata("tiny")
        assert client.get_server_metadata()["name"] == "limbeck"
        assert [one["name"] for one in client.get_model_repository_index()] == ["tiny"]
        assert not client.is_model_ready("other")
        asked = triton.InferInput("text", [1], "INT32")
        asked.set_data_from_numpy(np.array([1], np.int32))
        with pytest.raises(InferenceServerException, match="BYTES"):
            client.infer("tiny", [asked])
        with pytest.raises(InferenceServerException, match="'tiny' is served"):
            client.get_model_metadata("other")
        client.close()
    assert metadata["parameters"]["label_names"] == ["joy", "sadness", "슬픔"]
    assert {one["name"] for one in metadata["outputs"]} >= {"label", "probabilities", "unsure"}


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("single", {"label", "probabilities", "unsure", "tokens", "truncated"}),
        ("ordinal", {"label", "probabilities", "unsure", "tokens", "truncated"}),
        ("multi", {"probabilities", "decided", "tokens", "truncated"}),
        ("regression", {"value", "low", "high", "tokens", "truncated"}),
    ],
)
def test_each_task_has_its_tensors(kind, names, make_front):
    """Several labels are a row of truths, a number is a number: nothing is squeezed into one label."""
    front, service = make_front(kind)
    found = outputs(ask(front, INFER, body_of(TEXTS)))
    own = service.predictor.predict(TEXTS)
    assert set(found) == names
    if kind == "multi":
        assert np.array_equal(np.array(found["decided"]["data"]).reshape(found["decided"]["shape"]), own.decided_NC)
    if kind == "regression":
        assert np.array_equal(np.float32(found["value"]["data"]), own.values)
        assert found["low"]["data"] == (own.values.astype(np.float64) - 0.25).tolist()


def test_pairs_are_a_tensor_of_two_columns(make_front):
    """[N, 2] of a model that reads pairs, and one string each."""
    front, _service = make_front("pair")
    two = ask(front, INFER, body_of([["i feel", "fine"], ["so", "sad"]], shape=[2, 2]))
    one = ask(front, INFER, body_of(["i feel [SEP] fine", "so [SEP] sad"]))
    assert outputs(two) == outputs(one)


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (body_of(["a"], shape=[2]), 422, "there are 1 texts"),
        (body_of(["a"], shape=[1, 1, 1]), 422, "[N] or [N, 1]"),
        (body_of(["a", "b"], shape=[1, 2]), 422, "[N] or [N, 1]"),
        (body_of([5]), 422, "inputs[0].data[0] is a whole number"),
        (body_of([None]), 422, "null"),
        (body_of([], shape=[0]), 422, "there are 0 texts"),
        (body_of(["a"], shape=[True]), 422, "shape"),
        ({"inputs": []}, 422, "0 inputs"),
        ({"inputs": [1]}, 400, "inputs[0] is a whole number"),
        ({"inputs": body_of(["a"])["inputs"] * 2}, 422, "2 inputs"),
        (body_of(["a"], outputs=[{"name": "logits"}]), 422, "label, probabilities"),
        (body_of(["a"], outputs=[{"name": "label", "parameters": {"classification": 2}}]), 422, "probabilities only"),
        (body_of(["a"], parameters={"priority": 1}), 422, "priority"),
        (body_of(["a"], parameters={"sequence_id": 7}), 422, "sequence_id"),
        (body_of(["a"], parameters={"timeout": "1"}), 422, "microseconds"),
        (b"[", 400, "not JSON"),
    ],
)
def test_what_is_wrong_is_one_sentence(body, status, said, make_front):
    """With the place, in the one name that this dialect has for it; nothing is computed."""
    front, service = make_front()
    reply = ask(front, INFER, body)
    assert (reply.status, set(reply.json)) == (status, {"error"})
    assert said in reply.json["error"]
    assert service.asked == []


@pytest.mark.parametrize(
    ("raw", "header", "size"),
    [
        (b"\x05\0\0\0abcd", None, 8),
        (b"\xff\xff\xff\xff", None, 4),
        (b"\x01\0", None, 2),
        (b"\x01\0\0\0\xff", None, 5),
        (b"\x01\0\0\0a", None, 4),
        (b"\x01\0\0\0a", "999999", 5),
        (b"\x01\0\0\0a", "-1", 5),
        (b"\x01\0\0\0a", "9" * 400, 5),
        (b"\x01\0\0\0a", "", 5),
    ],
)
def test_raw_texts_that_do_not_add_up_are_refused(raw, header, size, make_front):
    """Lengths are looked at before anything is taken: 400, never another text."""
    front, service = make_front()
    parameters = f'{{"binary_data_size":{size}}}'
    head = f'{{"inputs":[{{"name":"a","shape":[1],"datatype":"BYTES","parameters":{parameters}}}]}}'.encode()
    headers = {
        "content-type": "application/octet-stream",
        "inference-header-content-length": str(len(head)) if header is None else header,
    }
    reply = ask(front, INFER, head + raw, headers=headers)
    assert (reply.status, service.asked) == (400, [])


def test_raw_texts_are_what_json_says(make_front):
    """The same answers, whichever way texts came."""
    front, _ = make_front()
    raw = b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in TEXTS)
    tensor = f'{{"name":"a","shape":[4],"datatype":"BYTES","parameters":{{"binary_data_size":{len(raw)}}}}}'
    head = f'{{"inputs":[{tensor}]}}'.encode()
    headers = {"content-type": "application/octet-stream", "inference-header-content-length": str(len(head))}
    assert outputs(ask(front, INFER, head + raw, headers=headers)) == outputs(ask(front, INFER, body_of(TEXTS)))


def _text(value):
    return value.decode() if isinstance(value, bytes) else str(value)


RAW_TEXTS = b"\x0b\x00\x00\x00i feel fine\x0c\x00\x00\x00so sad today"
KSERVE_SENDS = {
    "json": b'{"id":"7","model_name":"tiny","inputs":[{"name":"text","shape":[2],"datatype":"BYTES","data":'
    b'["i feel fine","so sad today"]}]}',
    "raw": b'{"id":"7","model_name":"tiny","inputs":[{"name":"text","shape":[2,1],"datatype":"BYTES",'
    b'"parameters":{"binary_data_size":31}}],"parameters":{"binary_data_output":true}}',
    "label": b'{"id":"7","model_name":"tiny","inputs":[{"name":"text","shape":[2],"datatype":"BYTES",'
    b'"parameters":{"binary_data_size":31}}],"outputs":[{"name":"label","parameters":{"binary_data":true}}]}',
}
"""What `InferRequest.to_rest` of kserve 0.21.0 gave, and its `InferenceRESTClient` sends."""


@pytest.mark.parametrize("way", KSERVE_SENDS)
def test_kserves_own_client_is_understood(way, make_front):
    """Byte for byte what it sends: the model stands in the body, too; its answers are those of the library."""
    front, service = make_front()
    head = KSERVE_SENDS[way]
    is_raw = way != "json"
    headers = {"content-type": "application/octet-stream", "inference-header-content-length": str(len(head))}
    reply = ask(front, INFER, head + RAW_TEXTS if is_raw else head, headers=headers if is_raw else {})
    assert reply.status == 200
    own = service.predictor.predict(["i feel fine", "so sad today"])
    if is_raw:
        size = int(reply.headers["inference-header-content-length"])
        answer, raw = json.loads(reply.body[:size]), reply.body[size:]
        labels, at = [], 0
        for _ in range(2):
            (length,) = struct.unpack_from("<I", raw, at)
            labels.append(raw[at + 4 : at + 4 + length].decode())
            at += 4 + length
    else:
        answer = reply.json
        labels = outputs(reply)["label"]["data"]
    assert (answer["id"], answer["model_name"], labels) == ("7", "tiny", own.predicted_names)


def test_another_model_in_the_body_is_refused(make_front):
    """404, as in the path: an answer of a model that was not asked for would be a wrong answer."""
    front, _ = make_front()
    assert ask(front, INFER, body_of(["a"], model_name="other")).status == 404
