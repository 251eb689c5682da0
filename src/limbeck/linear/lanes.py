"""Lanes: problems that are solved side by side, of which those that are done leave before the others.

In: values with an entry for each problem, and which lanes go on. Out: the same values of fewer problems, and in the end
those of all. It does not know what is minimised.

A lane is what can leave without changing the rest: one label in all its fits. Problem p is of lane p modulo L, so that
the problems of a fit stand side by side.
"""

from typing import Any, Generic, TypeVar

import torch

LEFT_AT = 0.9
"""Lanes leave when at most this share of them goes on: all that is remembered of these is copied each time, which takes
a tenth of a step."""

Parts = TypeVar("Parts", bound=tuple[Any, ...])


def problems_of(lane_L: torch.Tensor, *, lanes: int, problems: int) -> torch.Tensor:
    """Return the problems of some lanes, in order.

    Example:
        >>> problems_of(torch.tensor([0, 2]), lanes=3, problems=6).tolist()
        [0, 2, 3, 5]
    """
    return (torch.arange(0, problems, lanes)[:, None] + lane_L).flatten()


def pick(parts: Parts, place_P: torch.Tensor) -> Parts:
    """Return a named tuple of tensors, or of such tuples, for some problems: a copy."""
    picked = [pick(one, place_P) if isinstance(one, tuple) else one[place_P] for one in parts]
    return type(parts)(*picked)


def _put(whole: tuple[Any, ...], place_P: torch.Tensor, parts: tuple[Any, ...]) -> None:
    for one, other in zip(whole, parts, strict=True):
        if isinstance(one, tuple):
            _put(one, place_P, other)
        else:
            one[place_P] = other


class Lanes(Generic[Parts]):
    """The lanes of problems that are solved side by side.

    Args:
        lanes: how many there are.
        problems: of all lanes.

    Attributes:
        lane_L: the lanes that go on, by their first numbers.
    """

    def __init__(self, lanes: int, problems: int) -> None:
        self.lane_L = torch.arange(lanes)
        self._place_P = torch.arange(problems)
        self._whole: Parts | None = None

    def any_of(self, is_so_P: torch.Tensor) -> torch.Tensor:
        """Tell of each lane whether something is so of one of its problems, bool (L,)."""
        return is_so_P.view(-1, len(self.lane_L)).any(0)

    def may_leave(self, is_open_L: torch.Tensor) -> bool:
        """Tell whether so many lanes are done that they are to leave."""
        return int(is_open_L.sum()) <= LEFT_AT * len(self.lane_L)

    def leave(self, parts: Parts, stays_L: torch.Tensor) -> tuple[Parts, torch.Tensor]:
        """Let all lanes but these leave; return what is known of the others, and their problems.

        Args:
            parts: what is known of the lanes that go on.
            stays_L: places among these.
        """
        if self._whole is None:
            self._whole = pick(parts, self._place_P)
        else:
            _put(self._whole, self._place_P, parts)
        place_P = problems_of(stays_L, lanes=len(self.lane_L), problems=len(self._place_P))
        self.lane_L, self._place_P = self.lane_L[stays_L], self._place_P[place_P]
        return pick(parts, place_P), place_P

    def together(self, parts: Parts) -> Parts:
        """Return what is known of all problems, from that of those that stayed to the end."""
        if self._whole is None:
            return parts
        _put(self._whole, self._place_P, parts)
        return self._whole
