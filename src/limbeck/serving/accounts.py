"""Accounts: every request is counted once, from its arrival to its answer, and shown as Prometheus reads it.

    received = ok + refused + failed + abandoned (+ those that are not answered yet)

In: requests that begin and end, and what models answered. Out: the text of `/metrics`. Every series is there from the
start, at 0; no label has a value that a client chooses. It does not know HTTP.

Source: Prometheus exposition format 0.0.4.
"""

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from limbeck.evaluation.predictions import Predictions
from limbeck.log_lines import STANDARD_ERROR
from limbeck.serving.service import Answered, Condition, ServedModel

Outcome = Literal["ok", "refused", "failed", "abandoned"]
OUTCOMES: tuple[Outcome, ...] = ("ok", "refused", "failed", "abandoned")
"""What becomes of a request: answered; told why it is not; broken by the service; given up by its client."""
SWAP_OUTCOMES = ("ok", "refused")
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


class Histogram:
    """Counts of values up to given ones, as Prometheus has them."""

    def __init__(self, bounds: Sequence[float] = _SECONDS) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def add(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def lines(self, name: str) -> Iterator[str]:
        """Give the lines of the exposition."""
        total = 0
        for bound, count in zip((*self._bounds, None), self._counts, strict=True):
            total += count
            yield f'{name}_bucket{{le="{"+Inf" if bound is None else f"{bound:g}"}"}} {total}'
        yield f"{name}_sum {self._sum:.9g}"
        yield f"{name}_count {total}"


@dataclass(eq=False)
class HttpExchange:
    """One request, from its arrival to its end.

    Attributes:
        accounts: where it is counted.
        dialect: whose it is.
        texts: that it asked about; 0 where it came to none.
        outcome: what became of it; None before its end.
    """

    accounts: "Accounts"
    dialect: str
    texts: int = 0
    outcome: Outcome | None = None
    _begun: float = field(default_factory=time.perf_counter)

    def end(self, outcome: Outcome) -> None:
        """Count it; a second call changes nothing."""
        if self.outcome is None:
            self.outcome = outcome
            self.accounts.count(self, time.perf_counter() - self._begun)


class Accounts:
    """All requests since the start.

    Args:
        dialects: names of all that there are.
    """

    def __init__(self, dialects: Sequence[str]) -> None:
        self.received: Counter[str] = Counter(dict.fromkeys(dialects, 0))
        self.requests: Counter[tuple[str, str]] = Counter({(one, kind): 0 for one in dialects for kind in OUTCOMES})
        self.texts: Counter[str] = Counter(dict.fromkeys(OUTCOMES, 0))
        self.unsure: Counter[str] = Counter()
        self.cut: Counter[str] = Counter()
        self.tokens = 0
        self.cut_tokens = 0
        self.refused_connections = 0
        self._request_seconds, self._queue_seconds, self._engine_seconds = Histogram(), Histogram(), Histogram()

    def know(self, label_names: Sequence[str]) -> None:
        """Show the series of a model's labels; a model that follows it has the same."""
        for counts in (self.unsure, self.cut):
            counts.update(dict.fromkeys((*label_names, ""), 0))

    def begin(self, dialect: str) -> HttpExchange:
        """Count a request that came."""
        self.received[dialect] += 1
        return HttpExchange(self, dialect)

    def count(self, exchange: HttpExchange, seconds: float) -> None:
        """Count a request that ended; `HttpExchange.end` calls it once."""
        outcome = exchange.outcome or "failed"
        self.requests[exchange.dialect, outcome] += 1
        self.texts[outcome] += exchange.texts
        self._request_seconds.add(seconds)

    def note(self, answered: Answered) -> None:
        """Count what a model answered."""
        found, cut_N = answered.predictions, answered.cut_tokens > 0
        self.tokens += int(found.tokens.sum() - answered.cut_tokens.sum())
        self.cut_tokens += int(answered.cut_tokens.sum())
        self._queue_seconds.add(answered.queue_s)
        self._engine_seconds.add(answered.engine_s)
        if not isinstance(found, Predictions):
            self.cut[""] += int(cut_N.sum())
            return
        for row in np.flatnonzero(cut_N):
            self.cut[found.label_names[found.predicted[row]]] += 1
        if found.unsure is not None:
            for row in np.flatnonzero(found.unsure):
                self.unsure[found.label_names[found.predicted[row]]] += 1

    @property
    def open_requests(self) -> int:
        """Requests that came and have not ended."""
        return self.received.total() - self.requests.total()

    def exposition(self, condition: Condition, model: ServedModel | None) -> str:
        """Return the text of `/metrics`."""
        return "\n".join(self._lines(condition, model)) + "\n"

    def _lines(self, condition: Condition, model: ServedModel | None) -> Iterator[str]:
        yield from _about("limbeck_requests_received_total", "counter", "Requests that came.")
        for dialect, count in self.received.items():
            yield f'limbeck_requests_received_total{{dialect="{dialect}"}} {count}'
        yield from _about("limbeck_requests_total", "counter", "Requests that ended, by what became of them.")
        for (dialect, outcome), count in self.requests.items():
            yield f'limbeck_requests_total{{dialect="{dialect}",outcome="{outcome}"}} {count}'
        yield from _about("limbeck_requests_open", "gauge", "Requests that came and have not ended.")
        yield f"limbeck_requests_open {self.open_requests}"
        yield from _labelled("limbeck_texts_total", "Texts of requests that ended.", "outcome", self.texts)
        yield from _about("limbeck_tokens_total", "counter", "Tokens that were read.")
        yield f"limbeck_tokens_total {self.tokens}"
        yield from _about("limbeck_tokens_cut_total", "counter", "Tokens of texts that were too long, not read.")
        yield f"limbeck_tokens_cut_total {self.cut_tokens}"
        yield from _labelled("limbeck_texts_cut_total", "Texts that were cut, by their answer.", "label", self.cut)
        yield from _labelled("limbeck_unsure_total", 'Texts answered with "unsure".', "label", self.unsure)
        for name, meaning, seconds in (
            ("limbeck_request_seconds", "From a request's arrival to its end.", self._request_seconds),
            ("limbeck_queue_seconds", "That a request waited for the engine.", self._queue_seconds),
            ("limbeck_engine_seconds", "Of the batches that a request was in.", self._engine_seconds),
        ):
            yield from _about(name, "histogram", meaning)
            yield from seconds.lines(name)
        yield from _about("limbeck_connections_refused_total", "counter", "Connections beyond --max-connections.")
        yield f"limbeck_connections_refused_total {self.refused_connections}"
        yield from _about("limbeck_log_lines_lost_total", "counter", "Lines that standard error did not take.")
        yield f"limbeck_log_lines_lost_total {STANDARD_ERROR.lost}"
        for name, meaning, value in (
            ("limbeck_queue_tokens", "Tokens that wait or are computed.", condition.waiting_tokens),
            ("limbeck_queue_texts", "Texts that wait or are computed.", condition.waiting_texts),
            ("limbeck_tokens_per_second", "The rate that was measured last.", condition.tokens_per_s),
            ("limbeck_predicted_wait_seconds", "That a text which comes now would wait.", condition.predicted_wait_s),
            ("limbeck_ready", "Whether a request that comes now would be answered.", int(condition.is_ready)),
        ):
            yield from _about(name, "gauge", meaning)
            yield f"{name} {value:.9g}"
        yield from _about("limbeck_engine_restarts_total", "counter", "Engines that were replaced.")
        yield f"limbeck_engine_restarts_total {condition.engine_restarts}"
        yield from _about("limbeck_swaps_total", "counter", "Models that were exchanged.")
        for outcome in SWAP_OUTCOMES:
            yield f'limbeck_swaps_total{{outcome="{outcome}"}} {condition.swaps.get(outcome, 0)}'
        yield from _about("limbeck_model_info", "gauge", "The model that answers now.")
        if model is None:
            return
        yield (
            f'limbeck_model_info{{model="{_escaped(model.name)}",model_sha="{model.digest}",'
            f'engine="{_escaped(model.numerics)}"}} 1'
        )


def _about(name: str, kind: str, meaning: str) -> Iterator[str]:
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} {kind}"


def _labelled(name: str, meaning: str, label: str, counts: Counter[str]) -> Iterator[str]:
    yield from _about(name, "counter", meaning)
    for value, count in counts.items():
        yield f'{name}{{{label}="{_escaped(value)}"}} {count}'


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
