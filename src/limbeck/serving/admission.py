"""Admission: how long work takes here, and whether a request that comes now is taken.

In: batches that were computed; what waits before a request. Out: seconds; or an `OverloadedError` that says when to
come back. It does not know whose turn it is, nor the engine.
"""

import math
from collections import OrderedDict
from dataclasses import dataclass

from limbeck.errors import OverloadedError, TooLargeError

BATCH_S = 0.025
"""Seconds of work in a batch: so often deadlines, turns and clients that left are looked at."""
FEWEST_BATCH_TOKENS = 64
_HALF_LIFE_S = 2.0
_MOST_SLOWER = 8.0
_LEAST_START_S, _LEAST_TOKEN_S = 1e-5, 1e-9
_PROMISED_FACTOR = 2.0
_PROMISED_S = 10.0
_MOST_PROMISES = 10_000
_EARLY_S = 0.1
_HOPELESS = 2.0
_SURE_SHARE = 0.75


class WorkRate:
    """How long batches take: seconds = start + tokens × each, first as measured when the engine was ready.

    Each batch since then corrects both, recent ones most: what made it longer or shorter than predicted is put down to
    the part that it mostly consists of. So a busy machine, on which a single text waits for its turn, does not make a
    thousand texts look slow.

    Args:
        short: tokens of one short text, and the seconds that it took.
        many: tokens of many texts together, and the seconds that they took.
    """

    def __init__(self, short: tuple[int, float], many: tuple[int, float]) -> None:
        (few, few_s), (lot, lot_s) = short, many
        self._token_s = self._usual_token_s = max((lot_s - few_s) / max(1, lot - few), _LEAST_TOKEN_S)
        self._start_s = self._usual_start_s = max(few_s - few * self._token_s, _LEAST_START_S)

    @property
    def batch_tokens(self) -> int:
        """Tokens of a batch."""
        work_s = max(BATCH_S - self._start_s, BATCH_S / 2)
        return max(FEWEST_BATCH_TOKENS, int(work_s / self._token_s))

    @property
    def tokens_per_s(self) -> float:
        """The rate of full batches."""
        return self.batch_tokens / self.seconds(self.batch_tokens)

    def note(self, tokens: int, taken_s: float) -> None:
        """Note what a batch took; one that slept with the machine for an hour does not say how fast that is."""
        work_s = tokens * self._token_s
        expected_s = self._start_s + work_s
        taken_s = min(taken_s, _MOST_SLOWER * expected_s)
        more_s = (taken_s - expected_s) * (1 - 0.5 ** (taken_s / _HALF_LIFE_S))
        to_start = 1 / (1 + (work_s / self._start_s) ** 4)
        self._start_s = max(self._start_s + more_s * to_start, _LEAST_START_S)
        self._token_s = max(self._token_s + more_s * (1 - to_start) / tokens, _LEAST_TOKEN_S)

    def seconds(self, tokens: int) -> float:
        """Return the seconds that so many tokens take, in batches; 0 for none."""
        return math.ceil(tokens / self.batch_tokens) * self._start_s + tokens * self._token_s

    def usual_s(self, tokens: int) -> float:
        """Return the seconds that so many tokens took when the engine was ready, at the least."""
        return tokens * self._usual_token_s + bool(tokens) * self._usual_start_s


@dataclass
class _Promise:
    """Clients of this name were told to come back from `due_s` on; so many of them were."""

    due_s: float
    count: int


class Admission:
    """Takes a request, or refuses it at once where it would wait too long.

    One that comes back when it was told to may wait twice as long as one that comes for the first time.
    """

    def __init__(self, *, max_wait_s: float, max_waiting_tokens: int) -> None:
        self._max_wait_s = max_wait_s
        self._max_tokens = max_waiting_tokens
        self._promises: OrderedDict[str, _Promise] = OrderedDict()

    def check(self, asking: "Asking", now_s: float) -> None:
        """Return where a request may wait.

        Raises:
            TooLargeError: it has more tokens than may wait, or more work than it has time.
            OverloadedError: it would wait too long, or too much waits already.
        """
        if asking.tokens > self._max_tokens:
            raise TooLargeError(
                f"the request has about {asking.tokens:,} tokens and {self._max_tokens:,} may wait "
                "(max_waiting_tokens): send fewer texts per request"
            )
        if asking.usual_work_s > _HOPELESS * asking.timeout_s:
            raise TooLargeError(
                f"the request is about {asking.usual_work_s:.1f} s of work and has {asking.timeout_s:g} s: send fewer "
                "texts per request, or give it more time"
            )
        limit_s = self._limit_s(is_back=self._keeps_promise(asking.client, now_s))
        if self._is_too_much(asking, limit_s):
            after_s = max(1, math.ceil(asking.wait_s))
            self._promise(asking.client, now_s + after_s)
            raise OverloadedError(
                f"{asking.waiting_tokens:,} tokens wait, and this request would begin in about {asking.wait_s:.1f} s; "
                f"{limit_s:g} s are allowed: come back in {after_s} s",
                retry_after_s=after_s,
            )

    def refusal(self, asking: "Asking", now_s: float) -> OverloadedError | None:
        """Return the `OverloadedError` that `check` would raise, and count the refusal; None where it raises none.

        What `check` would take is not counted: it is asked about again, by `check`.
        """
        is_back = self._is_back(asking.client, now_s)
        if not self._is_too_much(asking, self._limit_s(is_back=is_back)):
            return None
        try:
            self.check(asking, now_s)
        except OverloadedError as error:
            return error
        except TooLargeError:
            return None
        return None

    def _limit_s(self, *, is_back: bool) -> float:
        return self._max_wait_s * (_PROMISED_FACTOR if is_back else 1.0)

    def _is_too_much(self, asking: "Asking", limit_s: float) -> bool:
        # What is predicted to end just in time ends too late every other time, and was computed for nobody.
        ends_late = asking.ends_s > _SURE_SHARE * asking.timeout_s
        is_late = asking.wait_s > limit_s or (asking.wait_s > 0 and ends_late)
        return is_late or asking.waiting_tokens + asking.tokens > self._max_tokens

    def _promise(self, client: str, due_s: float) -> None:
        known = self._promises.get(client)
        if known is None or known.due_s + _PROMISED_S < due_s:
            self._promises[client] = _Promise(due_s, 1)
            self._promises.move_to_end(client)
            if len(self._promises) > _MOST_PROMISES:
                self._promises.popitem(last=False)
        else:
            known.count += 1

    def _is_back(self, client: str, now_s: float) -> bool:
        """Tell whether a client comes back when it was told to."""
        known = self._promises.get(client)
        return known is not None and known.due_s - _EARLY_S <= now_s <= known.due_s + _PROMISED_S

    def _keeps_promise(self, client: str, now_s: float) -> bool:
        """Tell whether a client comes back when it was told to; it does so once for each time that it was told."""
        known = self._promises.get(client)
        if known is None or not known.due_s - _EARLY_S <= now_s:
            return False
        is_back = self._is_back(client, now_s)
        known.count -= 1
        if not is_back or known.count == 0:
            del self._promises[client]
        return is_back


@dataclass(frozen=True, kw_only=True)
class Asking:
    """A request at the door.

    Attributes:
        client: whose it is.
        tokens: of its texts, or about so many.
        timeout_s: seconds after which nobody waits for its answer.
        late_s: seconds that it lay before it was read.
        wait_s: predicted seconds until it begins.
        work_s: predicted seconds of its own work.
        usual_work_s: the same at the least, as it was when the engine was ready.
        waiting_tokens: tokens of all that wait.
    """

    client: str
    tokens: int
    timeout_s: float
    wait_s: float
    work_s: float
    usual_work_s: float
    waiting_tokens: int
    late_s: float = 0.0

    @property
    def ends_s(self) -> float:
        """Predicted seconds from when it came until it is answered."""
        return self.late_s + self.wait_s + self.work_s
