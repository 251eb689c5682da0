"""Model info: what a client reads of the model."""

import pytest

from limbeck.serving.dialects.model_info import dtype_of


@pytest.mark.parametrize(
    ("numerics", "dtype"),
    [
        ("torch float32 cpu", "float32"),
        ("torch bfloat16 cuda", "bfloat16"),
        ("torch float16 cuda", "float16"),
        ("native bfloat16 cpu", "bfloat16"),
        ("native float32, weights bfloat16 cpu", "float32"),
        ("none", "float32"),
    ],
)
def test_the_precision_is_one_word(numerics: str, dtype: str) -> None:
    """As text-embeddings-inference names it, of every engine's numerics."""
    assert dtype_of(numerics) == dtype
