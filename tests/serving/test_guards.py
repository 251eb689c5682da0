"""Guards: pages of other sites, other names and other keys have no way in; tools of one's own do."""

import hashlib

import pytest
from tests.serving.in_process import ask

from limbeck.errors import SettingsError
from limbeck.serving.guards import KEY_VARIABLE, make_guard

KEY = "0123456789abcdef"
BODY = {"input": "so sad"}


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8080", "localhost:8080", "localhost", "[::1]:8080", "10.1.2.3", "LOCALHOST:1", "", "localhost."]
)
def test_own_names_and_addresses_are_served(host, make_front):
    """A plain address cannot be another site's; nor can a request without a name come from a browser."""
    front, _ = make_front()
    assert ask(front, "/classify", BODY, headers={"host": host}).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example:8080", "localhost.evil.example", "2130706433", "a:b:c"]
)
def test_other_names_are_refused(host, make_front):
    """A name that somebody made to point here (DNS rebinding) is refused on every route, before anything is read."""
    front, service = make_front()
    for path, body in (("/classify", BODY), ("/info", None), ("/metrics", None), ("/nowhere", None)):
        reply = ask(front, path, body, headers={"host": host})
        assert (reply.status, service.asked) == (403, [])


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:8081", "http://localhost:8080", "", "x"]
)
def test_pages_of_other_sites_are_refused(origin, make_front):
    """Another origin than the server itself, another port included."""
    front, _ = make_front()
    expected = 200 if origin == "" else 403
    assert ask(front, "/classify", BODY, headers={"origin": origin}).status == expected


def test_the_own_page_is_served(make_front):
    """The page that the server shows may ask it."""
    front, _ = make_front()
    headers = {"origin": "http://127.0.0.1:8080", "sec-fetch-site": "same-origin"}
    assert ask(front, "/classify", BODY, headers=headers).status == 200
    assert ask(front, "/classify", BODY, headers={"sec-fetch-site": "cross-site"}).status == 403


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("application/json", 200),
        ("Application/JSON; charset=UTF-8", 200),
        ('application/json; charset="utf-8"', 200),
        ("application/json; charset=latin-1", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
        ("application/octet-stream", 415),
        ("", 415),
    ],
)
def test_a_body_must_be_called_json(kind, status, make_front):
    """What a form of another page can send without leave is refused."""
    front, _ = make_front()
    assert ask(front, "/classify", BODY, headers={"content-type": kind}).status == status


@pytest.fixture
def key_file(tmp_path):
    path = tmp_path / "key"
    path.write_text(f"{KEY}\n# the line above\n")
    return str(path)


@pytest.mark.parametrize(
    ("given", "status"),
    [
        (f"Bearer {KEY}", 200),
        (f"bearer {KEY}", 200),
        ("", 401),
        ("Bearer", 401),
        (f"Bearer {KEY}x", 401),
        (f"Bearer {KEY[:-1]}", 401),
        (f"Basic {KEY}", 401),
        (KEY, 401),
        ("Bearer \xff", 401),
    ],
)
def test_the_key_opens(given, status, key_file, make_front):
    """The whole key, as a bearer token, on every route that answers texts; the answer does not say what was wrong."""
    front, service = make_front(key_file=key_file)
    reply = ask(front, "/classify", BODY, headers={"authorization": given})
    assert reply.status == status
    if status == 401:
        assert reply.headers["www-authenticate"].startswith("Bearer")
        assert KEY not in reply.body.decode()
        assert service.asked == []


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/metrics", "/v2/health/ready", "/health", "/ping", "/openapi.json"]
)
def test_health_needs_no_key(path, key_file, make_front):
    """Orchestrators and scrapers have none."""
    front, _ = make_front(key_file=key_file)
    assert ask(front, path).status == 200


@pytest.mark.parametrize("path", ["/info", "/v1/models", "/v2", "/v2/models/tiny"])
def test_what_tells_of_the_model_needs_the_key(path, key_file, make_front):
    """Labels are nobody's but theirs who have it."""
    front, _ = make_front(key_file=key_file)
    assert ask(front, path).status == 401
    assert ask(front, path, headers={"authorization": f"Bearer {KEY}"}).status == 200


@pytest.mark.parametrize(
    "text", ["", "short", "with a space in it", "한글한글한글한글한글한글한글한글", "\n0123456789abcdef"]
)
def test_a_key_that_cannot_be_used_is_refused(text, tmp_path):
    """Before the server listens: one that could be guessed, or that no header can carry."""
    path = tmp_path / "key"
    path.write_text(text)
    with pytest.raises(SettingsError, match="openssl rand"):
        make_guard(host="127.0.0.1", allowed_hosts=(), key_file=str(path))


def test_a_key_that_is_not_there_is_refused(tmp_path):
    """A server that was told to ask for a key never runs without one."""
    with pytest.raises(SettingsError, match="cannot read"):
        make_guard(host="127.0.0.1", allowed_hosts=(), key_file=str(tmp_path / "none"))


def test_the_key_may_stand_in_the_environment(monkeypatch, key_file):
    """One place or the other, not both."""
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    found = make_guard(host="127.0.0.1", allowed_hosts=(), key_file=None)
    assert found.key_digest == hashlib.sha256(KEY.encode()).digest()
    with pytest.raises(SettingsError, match="two keys"):
        make_guard(host="127.0.0.1", allowed_hosts=(), key_file=key_file)


def test_names_may_be_added(make_front):
    """A server behind a proxy is called by the proxy's name."""
    front, _ = make_front(allowed_hosts=("Labels.Example",))
    headers = {"host": "labels.example", "origin": "https://labels.example"}
    assert ask(front, "/classify", BODY, headers=headers).status == 200
