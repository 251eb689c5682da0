import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limbeck.auditing.distinct_texts import distinct_texts

CHUNKS = st.lists(st.lists(st.text("ab한 ", max_size=2), max_size=5), max_size=4)


@given(CHUNKS)
def test_texts_are_told_apart_as_arrow_tells_them_apart(chunks: list[list[str]]) -> None:
    """Numbers and first rows are those of Arrow's own dictionary of all rows, however they lie in chunks."""
    texts = pa.chunked_array([pa.array(chunk, pa.string()) for chunk in chunks], pa.string())
    found = distinct_texts(texts)
    coded = pa.array(texts.to_pylist(), pa.string()).dictionary_encode()
    assert found.number_N.tolist() == coded.indices.to_pylist()
    assert found.take(np.arange(len(found.rows_D))).to_pylist() == coded.dictionary.to_pylist()


@pytest.mark.parametrize("numbers", [[], [0], [2], [0, 1, 2], [1, 2]])
def test_texts_are_taken_by_number_from_every_chunk(numbers: list[int]) -> None:
    """A number means the same text, in whichever chunk its first row lies; what a slice hides is not counted."""
    texts = pa.chunked_array([pa.array(["hidden", "a", "b", "a"]).slice(1), pa.array(["b", "c"])])
    found = distinct_texts(texts)
    assert found.take(np.array(numbers, np.int64)).to_pylist() == [["a", "b", "c"][number] for number in numbers]


def test_the_digest_is_that_of_the_different_texts_in_their_order() -> None:
    """Chunks and repeats do not count; another text or another order does."""

    def digest(*chunks: list[str]) -> str:
        return distinct_texts(pa.chunked_array(list(chunks))).digest

    assert digest(["a", "b", "a"]) == digest(["a"], ["b"])
    assert len({digest(["a", "b"]), digest(["b", "a"]), digest(["ab"]), digest(["a", "c"])}) == 4
