"""Settings of work in units."""

import pytest

from limbeck.errors import SettingsError
from limbeck.scale.scale_settings import ScaleSettings, check_scale


@pytest.mark.parametrize(
    ("words", "cores", "expected"),
    [
        ({}, 2, (1, 2)),
        ({}, 8, (1, 8)),
        ({}, 32, (4, 8)),
        ({"workers": 2}, 2, (2, 1)),
        ({"workers": 3}, 2, (3, 1)),
        ({"workers": 2, "threads": 3}, 16, (2, 3)),
        ({"on": "here"}, 32, (1, 32)),
    ],
)
def test_cores_are_shared_out(words: dict[str, object], cores: int, expected: tuple[int, int]) -> None:
    """Each worker has its own, and at least one thread."""
    settings = ScaleSettings(**words)  # type: ignore[arg-type]  # given above
    assert (settings.workers_on(cores), settings.threads_on(cores)) == expected


def test_impossible_numbers_are_gathered() -> None:
    """Both are named at once."""
    with pytest.raises(SettingsError, match=r"(?s)workers = 0.*unit_tokens = -1"):
        check_scale(ScaleSettings(workers=0, unit_tokens=-1))
    with pytest.raises(SettingsError, match="has none"):
        check_scale(ScaleSettings(on="here", workers=2))
