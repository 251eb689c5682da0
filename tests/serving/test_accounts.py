"""Accounts: received = ok + refused + failed + abandoned, always; and what Prometheus reads."""

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from tests.serving.in_process import ask, identity_holds

from limbeck.errors import DeadlineError, EngineError, NotReadyError, OverloadedError
from limbeck.serving.accounts import OUTCOMES, Accounts
from limbeck.serving.dialects.spoken import DIALECTS


def samples(front):
    text = ask(front, "/metrics").body.decode()
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in parse_text(text)
        for sample in family.samples
    }


@pytest.mark.parametrize(
    ("fault", "status", "outcome"),
    [
        (None, 200, "ok"),
        (OverloadedError("later", retry_after_s=7), 429, "refused"),
        (NotReadyError("loading"), 503, "refused"),
        (DeadlineError("too late"), 504, "failed"),
        (EngineError("a text breaks it"), 500, "failed"),
        (ZeroDivisionError("the text itself"), 500, "failed"),
    ],
)
def test_each_outcome_is_counted_once(fault, status, outcome, make_front, capsys):
    """Whatever becomes of a request, it is one count of one kind; an error that nobody expected included."""
    front, service = make_front()
    service.fault = fault
    reply = ask(front, "/classify", {"input": ["so sad", "it is"]})
    assert reply.status == status
    assert front.accounts.requests["own", outcome] == 1
    assert front.accounts.texts[outcome] == 2
    assert identity_holds(front)
    assert "the text itself" not in reply.body.decode() + capsys.readouterr().err


def test_overload_says_when_to_come_back(make_front):
    """429 has Retry-After, as the service predicted it, in a header and in the body."""
    front, service = make_front()
    service.fault = OverloadedError("later", retry_after_s=7)
    reply = ask(front, "/classify", {"input": "a"})
    assert (reply.headers["retry-after"], reply.json["retry_after_s"]) == ("7", 7)


def test_every_series_is_there_from_the_start(make_front):
    """At 0: a rate over the first request is right."""
    front, _ = make_front("unsure")
    found = samples(front)
    for dialect in DIALECTS:
        for outcome in OUTCOMES:
            assert found["limbeck_requests_total", ("dialect", dialect.name), ("outcome", outcome)] == 0
    for label in ("joy", "sadness", "슬픔", ""):
        assert found["limbeck_unsure_total", ("label", label)] == 0
        assert found["limbeck_texts_cut_total", ("label", label)] == 0
    assert found["limbeck_engine_restarts_total",] == 0
    assert found["limbeck_swaps_total", ("outcome", "refused")] == 0
    assert found["limbeck_ready",] == 1


def test_no_series_is_added_by_what_clients_send(make_front):
    """Names of series are the same after requests of every kind: nobody can fill the memory of who scrapes."""
    front, _ = make_front()
    before = set(samples(front))
    for path in ("/classify", "/nowhere", "/v2/models/x/infer", "/v1/models/y:predict"):
        ask(front, path, {"input": "a", "x": 1}, headers={"x-request-id": path, "user-agent": path})
    assert set(samples(front)) == before


def test_what_is_counted_of_texts(make_front):
    """Tokens read, tokens cut, texts by outcome, seconds of the engine: as the answers have them."""
    front, _ = make_front()
    ask(front, "/classify", {"input": ["so sad", "very " * 40]})
    found = samples(front)
    assert found["limbeck_tokens_total",] == 4 + 12
    assert found["limbeck_tokens_cut_total",] == 30
    assert found["limbeck_texts_total", ("outcome", "ok")] == 2
    assert found["limbeck_engine_seconds_count",] == 1
    assert found["limbeck_engine_seconds_sum",] == 0.002
    assert sum(value for (name, *_), value in found.items() if name == "limbeck_texts_cut_total") == 1


def test_both_parsers_are_content(make_front):
    """The text of Prometheus' own parser and that of OpenMetrics, which needs an end mark."""
    front, _ = make_front()
    reply = ask(front, "/metrics")
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    text = reply.body.decode()
    assert len(list(parse_text(text))) > 10
    assert len(list(parse_openmetrics(_as_openmetrics(text)))) > 10


def test_labels_of_any_signs_are_written(make_front):
    """Quotes, backslashes and line ends in a label's name are its own."""
    accounts = Accounts(["own"])
    name = 'a"b\\c\nd'
    accounts.know([name])
    _front, service = make_front()
    text = accounts.exposition(service.condition, service.model)
    labels = {sample.labels.get("label") for family in parse_text(text) for sample in family.samples}
    assert name in labels


def test_a_second_end_changes_nothing():
    """An exchange is counted when it ends first."""
    accounts = Accounts(["own"])
    exchange = accounts.begin("own")
    assert accounts.open_requests == 1
    exchange.end("abandoned")
    exchange.end("ok")
    assert (accounts.requests["own", "abandoned"], accounts.requests["own", "ok"]) == (1, 0)
    assert accounts.open_requests == 0


def _as_openmetrics(text):
    """Name families of counters as OpenMetrics does, without `_total`, and end the text."""
    lines = []
    for line in text.splitlines():
        words = line.split(" ")
        if line.startswith("#") and words[2].endswith("_total"):
            words[2] = words[2].removesuffix("_total")
        lines.append(" ".join(words))
    return "\n".join([*lines, "# EOF", ""])
