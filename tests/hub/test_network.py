"""What goes wrong on the way to the hub: a clear error, or a way around that is said; never a half file."""

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from limbeck import read
from limbeck.errors import HubError, HubUnreachableError, StorageError, status_of
from limbeck.reading.read import read_with

NAMES = ["no", "yes"]
FILE = "train-00000-of-00001.parquet"


@pytest.fixture
def repo(hub, parquet):
    """A data set of one file, large enough to be cut."""
    texts = [f"text {hashlib.sha256(str(number).encode()).hexdigest()}" for number in range(2000)]
    return hub.add("dataset", "me/set", {FILE: parquet({"text": texts, "label": [0, 1] * 1000}, NAMES)})


def blobs(tmp_path: Path) -> list[Path]:
    """Whole and partial files of the client's cache."""
    return [path for path in (tmp_path / "hf").rglob("blobs/*") if path.is_file()]


def test_a_wrong_name_is_told_from_a_private_one_as_far_as_can_be(hub) -> None:
    """404 and 401: the page to look at, and how to log in."""
    with pytest.raises(HubError, match=r"no data set me/nosuch, or it is private.*/datasets/me/nosuch.*HF_TOKEN"):
        read("hub:me/nosuch")


def test_private_and_gated_repositories(hub, repo, monkeypatch, token, fault) -> None:
    """Without the token each says what to do; with it, they are read."""
    hub.repos["dataset", "me/set"].private = True
    with pytest.raises(HubError, match=r"or it is private") as private:
        read("hub:me/set")
    assert status_of(private.value).exit_status == 8
    hub.repos["dataset", "me/set"].private = False
    hub.repos["dataset", "me/set"].gated = True
    with pytest.raises(HubError, match=r"is gated: accept its terms at"):
        read("hub:me/set")
    monkeypatch.setenv("HF_TOKEN", token)
    assert len(read("hub:me/set")) == 2000
    carried = [headers.get("Authorization") or headers.get("authorization") for _, _, headers in hub.asked("GET /lfs/")]
    assert carried == [None], "the token does not go to the storage, which is another host"
    hub.faults.append(fault(match=r"GET /api/", status=403, headers={"X-Error-Message": f"token {token} may not"}))
    with pytest.raises(HubError, match=r"does not let you read") as told:
        read("hub:me/set")
    assert token not in str(told.value)
    assert "[hidden]" in str(told.value)


def test_a_missing_revision(hub, repo) -> None:
    """A branch, tag or commit that is not there."""
    with pytest.raises(HubError, match=r"there is no revision 'v9': see .*/datasets/me/set/tree/main"):
        read("hub:me/set@v9")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_trouble_passes(hub, repo, fault, heard, pauses, status) -> None:
    """The listing, the look at a file and the file itself fail once each: asked again after a pause, and said."""
    hub.faults += [fault(match=match, status=status) for match in ("GET /api/", "HEAD .*/resolve/", "GET /lfs/")]
    assert len(read_with("hub:me/set", progress=heard)) == 2000
    assert "trying again in 1 s" in heard.text
    assert len(pauses) >= 2
    assert min(pauses) >= 1.0


def test_the_hubs_own_wait_is_kept(hub, repo, fault, heard, pauses) -> None:
    """Retry-After is obeyed; a wait of hours is told instead."""
    hub.faults.append(fault(match=r"GET /api/", status=429, headers={"Retry-After": "7"}))
    read_with("hub:me/set", progress=heard)
    assert pauses[0] == 7.0
    assert "too many requests; trying again in 7 s" in heard.text
    hub.faults.append(fault(match=r"GET /api/datasets/me/other", status=429, headers={"Retry-After": "3600"}))
    with pytest.raises(HubUnreachableError, match=r"too many requests from here: try in 3600 s"):
        read("hub:me/other")


def test_trouble_that_stays(hub, fault) -> None:
    """A hub that is down is asked four times, then told."""
    hub.faults.append(fault(match=r"GET /api/", status=502, times=100))
    with pytest.raises(HubUnreachableError, match=r"the hub is in trouble .status 502"):
        read("hub:me/set")
    assert len(hub.asked("GET /api/")) == 4


def test_a_cut_is_taken_up_where_it_was(hub, repo, fault, heard, monkeypatch) -> None:
    """The rest is asked for by its range, and what came before is not asked for again."""
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 4096)
    hub.faults.append(fault(match=r"GET /lfs/", cut_after=10_000))
    assert len(read_with("hub:me/set", progress=heard)) == 2000
    ranges = [headers.get("Range") or headers.get("range") for _, _, headers in hub.asked("GET /lfs/")]
    assert ranges == [None, "bytes=8192-"]
    assert heard.done == heard.total


def test_a_line_that_always_breaks(hub, repo, fault, tmp_path) -> None:
    """Tried a number of times; then an error, and no half file is left."""
    hub.faults.append(fault(match=r"GET /lfs/", cut_after=0, times=1000))
    with pytest.raises(HubUnreachableError, match=r"broke off"):
        read("hub:me/set")
    assert blobs(tmp_path) == []


def test_what_was_whole_before_a_break_is_kept(hub, repo, fault, parquet, tmp_path) -> None:
    """Run again after a broken download, only the files that are not whole are fetched."""
    repo.commit({**repo.commits[0], "test-00000-of-00001.parquet": parquet({"text": ["t"], "label": [1]}, NAMES)})
    digest = hashlib.sha256(repo.commits[0][FILE]).hexdigest()
    hub.faults.append(fault(match=f"GET /lfs/{digest}", cut_after=100, times=1000))
    with pytest.raises(HubUnreachableError):
        read("hub:me/set#/test,train")
    hub.faults.clear()
    hub.requests.clear()
    assert len(read("hub:me/set")) == 2001
    assert [path for method, path, _ in hub.requests if method == "GET" and "/lfs/" in path].count(
        f"/lfs/{digest}"
    ) == 1


def test_a_file_damaged_on_the_way(hub, repo, fault, heard, tmp_path) -> None:
    """The hash of the hub is checked: fetched once more, and when that is damaged too, thrown away and told."""
    hub.faults.append(fault(match=r"GET /lfs/", flips=True))
    assert len(read_with("hub:me/set", progress=heard)) == 2000
    assert f"{FILE} arrived damaged and was thrown away" in heard.text
    shutil.rmtree(tmp_path / "hf")
    hub.faults.append(fault(match=r"GET /lfs/", flips=True, times=100))
    with pytest.raises(HubError, match=r"arrived twice with other bytes than the hub's hash"):
        read("hub:me/set")
    assert blobs(tmp_path) == []


def test_a_file_damaged_in_the_cache(hub, repo, heard, tmp_path, monkeypatch) -> None:
    """Found each time it is used: fetched again with a network, told without one."""
    read("hub:me/set")
    (blob,) = blobs(tmp_path)
    whole = blob.read_bytes()
    blob.write_bytes(whole[:-1] + b"?")
    assert len(read_with("hub:me/set", progress=heard)) == 2000
    assert "in the cache is damaged, so it is downloaded again" in heard.text
    (blob,) = blobs(tmp_path)
    assert blob.read_bytes() == whole
    blob.write_bytes(whole[:-1])
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(HubError, match=r"is damaged: it differs from its hash"):
        read("hub:me/set")


def test_with_everything_cached_no_network_is_needed(hub, repo, heard, monkeypatch) -> None:
    """HF_HUB_OFFLINE, a dead network, a hub in trouble: the same rows from the cache, and it is said."""
    online = read("hub:me/set")
    hub.requests.clear()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert read_with("hub:me/set", progress=heard).source == online.source
    assert f"offline (HF_HUB_OFFLINE), so the cached revision {repo.sha(0)[:12]} is used" in heard.text
    assert hub.requests == []
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    assert read_with("hub:me/set", progress=heard).fingerprint() == online.fingerprint()
    assert "http://127.0.0.1:9 cannot be reached" in heard.text
    assert heard.text.endswith(f"The cached revision {repo.sha(0)[:12]} is used instead")


def test_a_pinned_place_is_not_asked_for_again(hub, repo) -> None:
    """A commit's files never change, so what was fetched once needs no question."""
    source = read("hub:me/set").source
    hub.requests.clear()
    assert len(read(source)) == 2000
    assert hub.requests == []


def test_without_network_and_cache(hub, monkeypatch) -> None:
    """What is missing, and that it is to be run once with a network."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(HubUnreachableError, match=r"cannot be reached .* check the network, HTTPS_PROXY"):
        read("hub:me/set")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(HubUnreachableError, match=r"HF_HUB_OFFLINE forbids asking the hub"):
        read("hub:me/set")


def test_a_part_that_was_never_fetched(hub, repo, parquet, monkeypatch) -> None:
    """Cached for one split only: another one names the file that is missing."""
    repo.commit({**repo.commits[0], "test-00000-of-00001.parquet": parquet({"text": ["t"], "label": [1]}, NAMES)})
    read("hub:me/set#/test")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert len(read("hub:me/set#/test")) == 1
    with pytest.raises(HubUnreachableError, match=f"not wholly in the cache .{FILE} missing"):
        read("hub:me/set")


def test_a_proxy_that_refuses(hub, repo, monkeypatch, fault) -> None:
    """407, and a proxy that is not there: HTTPS_PROXY is named, its password is not."""
    from huggingface_hub import close_session

    monkeypatch.setenv("HTTP_PROXY", hub.endpoint.replace("http://", "http://kim:sesame@"))
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    close_session()
    hub.faults.append(fault(match=r"GET ", status=407, times=100))
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(
        HubUnreachableError, match=r"the proxy does not let the request through: check HTTPS_PROXY"
    ) as told:
        read("hub:me/set")
    assert "sesame" not in str(told.value)
    monkeypatch.setenv("HTTPS_PROXY", hub.endpoint.replace("http://", "http://kim:sesame@"))
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "https://127.0.0.1:9")
    hub.faults.append(fault(match=r"CONNECT ", status=407, times=100))
    close_session()
    with pytest.raises(HubUnreachableError, match=r"proxy|cannot be reached") as told:
        read("hub:me/set")
    assert "sesame" not in str(told.value)


def test_a_page_that_is_no_hub(hub, fault) -> None:
    """A network that answers everything with its log-in page."""
    page = fault(match=r"GET ", status=200, body=b"<html>Welcome to the train's wifi</html>", times=100)
    page.headers = {"Content-Length": str(len(page.body))}
    hub.faults.append(page)
    with pytest.raises(HubUnreachableError, match=r"answers, but not as a hub does"):
        read("hub:me/set")


def test_a_disk_that_is_too_small(hub, repo, monkeypatch, tmp_path) -> None:
    """Seen before the download begins; nothing is fetched."""
    small = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr("shutil.disk_usage", lambda _: small)
    with pytest.raises(StorageError, match=r"MB free and the download needs .* HF_HOME") as told:
        read("hub:me/set")
    assert status_of(told.value).exit_status == 6
    assert hub.asked("/lfs/") == []


def test_a_disk_that_fills_up_meanwhile(hub, repo, monkeypatch, tmp_path) -> None:
    """The system's own word, in ours; no half file stays."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("huggingface_hub.file_download.http_get", full)
    with pytest.raises(StorageError, match=r"the disk is full: free some space.*HF_HOME"):
        read("hub:me/set")
    assert blobs(tmp_path) == []


def test_the_client_is_an_extra(monkeypatch) -> None:
    """Without it, or with one that is too old, the extra is named."""
    from importlib.metadata import PackageNotFoundError

    from limbeck.errors import MissingExtraError

    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("limbeck.hub.client.version", absent)
    with pytest.raises(MissingExtraError, match=r"limbeck\[hub\]"):
        read("hub:me/set")
    monkeypatch.setattr("limbeck.hub.client.version", lambda _: "0.36.0")
    with pytest.raises(MissingExtraError, match=r"0.36.0 is too old"):
        read("hub:me/set")


@pytest.mark.parametrize(
    "sha", ["../../../../victim", "/victim", "", "main", "A" * 40, "0" * 39, "0" * 40 + "\n", "０" * 40, "0" * 41]
)
def test_a_commit_that_is_none_is_refused(hub, repo, tmp_path, monkeypatch, sha) -> None:
    """A hostile answer names no folder: what the user has outside the cache stays, whatever a commit is called."""
    victim = tmp_path / "victim"
    victim.mkdir()
    (victim / FILE).write_text("precious")
    monkeypatch.setattr(type(repo), "sha", lambda *_: sha)
    with pytest.raises(HubError, match="which is none"):
        read("hub:me/set")
    assert (victim / FILE).read_text() == "precious"


@pytest.mark.parametrize("written", ["../../../../victim", "/victim", "main", "0" * 39])
def test_a_reference_in_the_cache_that_is_no_commit(hub, repo, tmp_path, written) -> None:
    """What a file of the cache holds is no path: it counts as not there, and the hub is asked."""
    read("hub:me/set")
    reference = next((tmp_path / "hf").rglob("refs/main"))
    reference.write_text(written)
    assert len(read("hub:me/set")) == 2000
