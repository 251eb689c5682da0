"""OpenAI's own client: vectors as numbers and as base64, models, and its errors."""

import numpy as np
import openai
import pytest
from tests.serving.in_process import ask, identity_holds, running, vector_of

from limbeck.errors import OverloadedError

TEXTS = ["so sad", "슬픔 😀"]


def test_both_ways_of_writing_have_the_same_bits(make_front):
    """The client's own way is base64; a list of numbers gives the same float32."""
    front, _ = make_front()
    with running(front) as url, openai.OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as client:
        usual = client.embeddings.create(model="tiny", input=TEXTS)
        written = client.embeddings.create(model="tiny", input=TEXTS, encoding_format="float")
        alone = client.embeddings.create(model="tiny", input=TEXTS[0])
        assert [one.id for one in client.models.list()] == ["tiny"]
        assert client.models.retrieve("tiny").owned_by == "limbeck"
    own = np.stack([vector_of(text) for text in TEXTS])
    vectors = np.array([one.embedding for one in usual.data], np.float32)
    assert np.array_equal(vectors, np.array([one.embedding for one in written.data], np.float32))
    assert np.allclose(vectors, own / np.linalg.norm(own, axis=1, keepdims=True), atol=1e-7)
    assert np.array_equal(np.array(alone.data[0].embedding, np.float32), vectors[0])
    assert usual.usage.prompt_tokens == 4 + 4
    assert [one.index for one in usual.data] == [0, 1]
    assert identity_holds(front)


@pytest.mark.parametrize("tokens", [[1, 2, 3], [[1, 2], [3]]])
def test_numbers_of_tokens_are_refused_with_the_remedy(tokens, make_front):
    """They are another tokenizer's: never a vector that means nothing."""
    front, service = make_front()
    with running(front) as url, openai.OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as client:
        remedy = pytest.raises(openai.UnprocessableEntityError, match="check_embedding_ctx_length=False")
        with remedy:
            client.embeddings.create(model="tiny", input=tokens)
    assert service.asked == []


def test_its_errors_are_its_clients_errors(make_front):
    """Another model, other dimensions, no text, too many at a time: each the class that its client has for it."""
    front, service = make_front()
    with running(front) as url, openai.OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as client:
        with pytest.raises(openai.NotFoundError, match="'tiny' is served"):
            client.embeddings.create(model="text-embedding-3-small", input="a")
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve("other")
        with pytest.raises(openai.BadRequestError, match="dimensions"):
            client.embeddings.create(model="tiny", input="a", dimensions=3)
        with pytest.raises(openai.UnprocessableEntityError):
            client.embeddings.create(model="tiny", input=[])
        service.fault = OverloadedError("later", retry_after_s=3)
        with pytest.raises(openai.RateLimitError) as caught:
            client.embeddings.create(model="tiny", input="a")
        assert caught.value.response.headers["retry-after"] == "3"
    assert identity_holds(front)


def test_its_client_comes_back_when_it_is_told(make_front):
    """With retries on it asks again as often as it says; each request is counted."""
    front, service = make_front()
    service.fault = OverloadedError("later", retry_after_s=0)
    with running(front) as url, openai.OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=1) as client:
        limited = pytest.raises(openai.RateLimitError)
        with limited:
            client.embeddings.create(model="tiny", input="a")
    assert front.accounts.requests["openai", "refused"] == len(service.asked) == 2


def test_models_serve_two_dialects(make_front):
    """One body has OpenAI's list and KServe's names."""
    front, _ = make_front()
    found = ask(front, "/v1/models").json
    assert (found["data"][0]["id"], found["models"]) == ("tiny", ["tiny"])
    one = ask(front, "/v1/models/tiny").json
    assert (one["object"], one["name"], one["ready"]) == ("model", "tiny", True)
