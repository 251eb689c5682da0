import numpy as np

from limbeck.auditing.minhash import ALL_PAIRS_UP_TO, SKETCH_BINS, band_keys, buckets_of, pairs_within


def test_in_a_bucket_too_large_for_all_pairs_those_that_are_alike_stand_together() -> None:
    """Of 500 pairs that agree on 0.7 of their bins, among 1,000 texts that agree on one band, most are compared."""
    draw = np.random.default_rng(0)
    bases = draw.integers(0, 1 << 16, (500, SKETCH_BINS), dtype=np.uint16)
    copies = np.where(draw.random(bases.shape) < 0.7, bases, draw.integers(0, 1 << 16, bases.shape, dtype=np.uint16))
    values = np.concatenate([bases, copies])
    values[:, :6] = 7
    buckets = buckets_of(next(band_keys(values, np.arange(1000), 6)), np.arange(1000))
    assert buckets.size.tolist() == [1000] * 1000
    assert ALL_PAIRS_UP_TO < 1000
    proposed = {pair for one, other in pairs_within(buckets) for pair in zip(one.tolist(), other.tolist(), strict=True)}
    assert all(one < other for one, other in proposed)
    assert sum((place, place + 500) in proposed for place in range(500)) > 300
