"""Publishing: what goes, where it goes, and what is never said."""

import doctest
import json
import traceback
from dataclasses import replace

import numpy as np
import pytest

import limbeck
from limbeck.errors import BundleError, HubError, LimbeckError, SettingsError
from limbeck.model.bundle import save_bundle
from limbeck.publishing import publication
from limbeck.publishing.publication import PublishSettings, prepare, publish

REPO = "kim/feelings"
# The client's plain upload uses an argument of its HTTP library that is on its way out; users see no warning.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture
def run(make_bundle, tmp_path):
    """A run folder as `limbeck train` leaves one, made on data of this machine."""
    bundle = make_bundle("classification")
    record = {
        "data": {
            "source": "/home/kim/customers/mails.csv",
            "notes": [{"what": "rows with an empty text, left out", "rows": 2, "example": "mails.csv: 'Dear Ms Park'"}],
        },
        "encoder": {"name": "hub:distilbert/distilbert-base-uncased@" + "a" * 40},
        "settings": {"features": {"encoder": "../models/mine"}},
    }
    card = "# A text classifier\n\n- Trained on: /home/kim/customers/mails.csv\n\n" + 'limbeck.load("this folder")\n'
    save_bundle(replace(bundle, facts=replace(bundle.facts, provenance=record)), tmp_path / "RUN" / "bundle", card=card)
    figures = dict.fromkeys(("accuracy", "f1_weighted", "f1_macro"), 0.91234567)
    (tmp_path / "RUN" / "metrics.json").write_text(json.dumps({"validation": figures}))
    return tmp_path / "RUN"


@pytest.fixture
def logged_in(monkeypatch, token):
    """The token where the client looks for it."""
    monkeypatch.setenv("HF_TOKEN", token)


def test_a_dry_run_asks_nobody(hub, run) -> None:
    """Each file with its size; the card has the hub's metadata; folders and excerpts of this machine stay here."""
    outgoing = prepare(run, REPO, PublishSettings(license_id="apache-2.0"))
    assert hub.requests == []
    sizes = {file.name: file.size_bytes for file in outgoing.files}
    assert sizes["model.safetensors"] == (run / "bundle" / "model.safetensors").stat().st_size
    assert set(sizes) == {path.name for path in (run / "bundle").iterdir()}
    written = {file.name: file.content for file in outgoing.files if isinstance(file.content, bytes)}
    card = written["README.md"].decode()
    for line in (
        "pipeline_tag: text-classification",
        "license: apache-2.0",
        "value: 0.9123",
        "library_name: transformers",
    ):
        assert line in card
    assert "base_model: distilbert/distilbert-base-uncased" in card
    assert 'limbeck.load("hub:kim/feelings")' in card
    public = b"".join(written.values()).decode()
    assert "mails.csv" in public
    for kept_here in ("/home/kim", "../models", "Ms Park"):
        assert kept_here not in public


@pytest.mark.slow
def test_what_went_is_what_comes_back(hub, run, logged_in, heard, tmp_path) -> None:
    """One commit; limbeck and transformers open it from the hub with the probabilities of the local bundle."""
    from transformers import AutoModelForSequenceClassification

    published = publish(run, REPO, progress=heard)
    repo = hub.repos["model", REPO]
    assert published.commit == repo.sha(1)
    assert not repo.private
    assert f"to {hub.endpoint}/{REPO}" in heard.text
    texts = ["i feel so fine", "today is rainy"]
    local = limbeck.load(run).predict(texts)
    there = limbeck.load(f"hub:{REPO}", progress=heard).predict(texts)
    assert np.array_equal(there.probabilities, local.probabilities)
    model = AutoModelForSequenceClassification.from_pretrained(REPO)
    assert model.config.id2label == {0: "joy", 1: "sadness", 2: "슬픔"}


def test_the_example_runs(hub, run, logged_in, monkeypatch) -> None:
    """What the docstring of `publish` shows is what happens: a private repository."""
    monkeypatch.chdir(run.parent)
    found = doctest.DocTestParser().get_doctest(publish.__doc__ or "", vars(publication).copy(), "publish", None, 0)
    runner, said = doctest.DocTestRunner(verbose=False), []
    runner.run(found, out=said.append)
    assert runner.tries
    assert not runner.failures, "".join(said)
    assert hub.repos["model", "kim/emotions"].private


def test_a_card_that_was_edited_on_the_hub_does_no_harm(hub, run, logged_in) -> None:
    """People edit cards there; the manifest vouches for everything else."""
    publish(run, REPO)
    repo = hub.repos["model", REPO]
    files = repo.commits[-1]
    repo.commit({**files, "README.md": b"# edited", ".gitattributes": b"x"})
    assert limbeck.load(f"hub:{REPO}").label_names == ("joy", "sadness", "슬픔")
    repo.commit({**files, "limbeck.json": files["limbeck.json"].replace(b"joy", b"Joy")})
    with pytest.raises(BundleError, match="differs from its SHA-256"):
        limbeck.load(f"hub:{REPO}")


def test_a_downloaded_copy_opens(hub, run, logged_in, tmp_path) -> None:
    """A clone, or `hf download --local-dir`: the files that others put beside it are no fault."""
    publish(run, REPO)
    copy = tmp_path / "copy"
    copy.mkdir()
    for name, content in hub.repos["model", REPO].commits[-1].items():
        (copy / name).write_bytes(content)
    (copy / ".cache" / "huggingface").mkdir(parents=True)
    (copy / ".cache" / "huggingface" / "x.metadata").write_text("x")
    assert limbeck.load(copy).label_names == ("joy", "sadness", "슬픔")
    (copy / "model2.safetensors").write_bytes(b"x")
    with pytest.raises(BundleError, match="is not in the manifest"):
        limbeck.load(copy)


def test_private_branch_and_again(hub, run, logged_in, heard) -> None:
    """A private repository; a branch that is made; publishing again uploads no weights twice."""
    publish(run, REPO, PublishSettings(private=True, revision="v2"))
    repo = hub.repos["model", REPO]
    assert repo.private
    assert "model.safetensors" in repo.commits[repo.refs["v2"]]
    assert "model.safetensors" not in repo.commits[repo.refs["main"]]
    uploads = len(hub.asked("PUT /lfs/"))
    publish(run, f"hub:{REPO}@v2")
    assert len(hub.asked("PUT /lfs/")) == uploads


def test_a_public_repository_does_not_get_what_is_private(hub, run, logged_in) -> None:
    """--private with a repository that everybody sees: nothing goes."""
    hub.add("model", REPO, {})
    with pytest.raises(HubError, match="everybody can see it: nothing was uploaded"):
        publish(run, REPO, PublishSettings(private=True))
    assert hub.asked("PUT|commit|preupload") == []


def test_without_a_token(hub, run) -> None:
    """Told before anything is asked."""
    with pytest.raises(HubError, match="hf auth login"):
        publish(run, REPO)
    assert hub.requests == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("match", "status", "said"),
    [
        ("POST /api/repos/create", 403, "does not let you write there"),
        ("GET /api/models/kim/feelings", 401, "the hub does not know your token"),
        ("POST .*/commit/", 403, "use a token with the right to write"),
        ("POST .*/preupload/", 500, "the hub is in trouble"),
        ("PUT /lfs/", 500, "the hub is in trouble"),
    ],
)
def test_the_token_is_nowhere(
    hub, run, monkeypatch, logged_in, token, fault, capfd, heard, caplog, match, status, said
) -> None:
    """Though the server itself repeats it: not in the error, its causes or its traceback, nor on screen."""
    echo = {"X-Error-Message": f"Invalid credentials in Authorization header: Bearer {token}"}
    hub.faults.append(fault(match=match, status=status, headers=echo, times=1000))
    if "create" in match:
        hub.faults.append(
            fault(match="GET /api/models/kim", status=404, headers={"X-Error-Code": "RepoNotFound"}, times=99)
        )
    with pytest.raises(LimbeckError, match=said) as told:
        publish(run, REPO, progress=heard)
    shown = capfd.readouterr()
    whole = "".join(traceback.format_exception(told.value))
    for text in (whole, repr(told.value), shown.out, shown.err, heard.text, caplog.text):
        assert token not in text
    assert told.value.__cause__ is None
    assert told.value.__context__ is None
    assert (
        "commit" not in [path.split("/")[-2] for method, path, _ in hub.requests if method == "POST"]
        or "commit" in match
    )


def test_a_token_in_the_file_of_the_client_is_used(hub, run, tmp_path, token) -> None:
    """`hf auth login` leaves it there."""
    (tmp_path / "hf").mkdir(exist_ok=True)
    (tmp_path / "hf" / "token").write_text(token)
    publish(run, REPO)
    assert ("model", REPO) in hub.repos


def test_wrong_words(hub, run, tmp_path) -> None:
    """No owner, two branches, no model: each is told before anything is asked."""
    with pytest.raises(SettingsError, match="names no owner"):
        prepare(run, "feelings")
    with pytest.raises(SettingsError, match="give one of them"):
        prepare(run, f"{REPO}@a", PublishSettings(revision="b"))
    with pytest.raises(BundleError, match="does not exist"):
        prepare(tmp_path / "nothing", REPO)
    (run / "bundle" / "limbeck.json").write_text("{}")
    with pytest.raises(BundleError, match="differs"):
        prepare(run, REPO)
    assert hub.requests == []


def test_a_linear_head_is_not_promised_to_transformers(make_bundle, tmp_path) -> None:
    """Only limbeck opens it, and without a run around it no figures are stated."""
    save_bundle(make_bundle("linear"), tmp_path / "bundle", card="# Card\n")
    card = next(file.content for file in prepare(tmp_path / "bundle", REPO).files if file.name == "README.md")
    assert b"library_name: limbeck" in card
    assert b"model-index" not in card
    assert b"transformers" not in card
