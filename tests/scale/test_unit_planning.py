"""Plans: units are whole pieces, about as large as is wanted."""

from hypothesis import given
from hypothesis import strategies as st

from limbeck.reading.cut_file import FilePiece
from limbeck.scale.unit_planning import MOST_UNIT_ROWS, joined_pieces


def pieces_of(weights: list[int], rows: int = 10) -> list[FilePiece]:
    """Return pieces of such weights, one behind the other."""
    return [
        FilePiece(first=rows * place + 1, rows=rows, start=100 * place, stop=100 * place + 100, weight=weight)
        for place, weight in enumerate(weights)
    ]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40), st.integers(1, 100))
def test_units_are_all_rows_once_in_order(weights: list[int], wanted: int) -> None:
    """And none is much larger than wanted, unless a single piece is."""
    units = list(joined_pieces(pieces_of(weights), wanted))
    assert [unit.first for unit in units] == [1, *(unit.last + 1 for unit in units[:-1])]
    assert sum(unit.rows for unit in units) == 10 * len(weights)
    assert sum(unit.weight for unit in units) == sum(weights)
    assert all(unit.weight <= 1.5 * wanted or unit.rows == 10 for unit in units)
    assert (units[0].start, units[-1].stop) == (0, 100 * len(weights))


def test_a_fast_machine_does_not_hold_a_whole_file_in_memory() -> None:
    """A unit has a largest number of rows."""
    units = list(joined_pieces(pieces_of([1] * 300, rows=2_000), 1e9))
    assert max(unit.rows for unit in units) == MOST_UNIT_ROWS
