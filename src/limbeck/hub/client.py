"""The door to `huggingface_hub`: is it there, where does it look, what it says goes through our progress.

In: nothing. Out: facts about the client library, and a quiet place to call it in.
It does not know repositories. No token passes through here but to be taken out of texts.
"""

import logging
import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from limbeck.errors import MissingExtraError
from limbeck.progress import SILENT, Progress

Kind = Literal["model", "dataset"]

OLDEST_CLIENT = 2
"""The first major version of huggingface_hub that the tests are run with."""
_TOKENS = re.compile(r"\b(hf|api_org)_[A-Za-z0-9]{8,}")
_CREDENTIALS = re.compile(r"(://)[^/@\s]+@")
_SIGNATURES = re.compile(r"(https?://[^\s?]+)\?[^\s'\"]+")
"""What follows the question mark of an address: at the hub's storage it is a signature that lets anyone in."""


def require_client() -> None:
    """Check that `huggingface_hub` is installed.

    Raises:
        MissingExtraError: it is not, or is too old.
    """
    try:
        found = version("huggingface_hub")
    except PackageNotFoundError:
        raise MissingExtraError(
            'the hub needs the package huggingface_hub, which is not installed: pip install "limbeck[hub]"'
        ) from None
    if int(found.partition(".")[0]) < OLDEST_CLIENT:
        raise MissingExtraError(
            f"huggingface_hub {found} is too old, {OLDEST_CLIENT}.0 or newer is needed: "
            'pip install --upgrade "limbeck[hub]"'
        )
    with warnings.catch_warnings():
        # In a notebook the client's own bars want ipywidgets; ours are shown, so there is nothing to warn of.
        warnings.filterwarnings("ignore", message="IProgress not found")
        import_module("huggingface_hub.utils.tqdm")


def endpoint() -> str:
    """Return the hub's address: https://huggingface.co, or what HF_ENDPOINT says."""
    from huggingface_hub import constants

    return constants.ENDPOINT


def is_offline() -> bool:
    """Tell whether HF_HUB_OFFLINE forbids the network."""
    from huggingface_hub import constants

    return constants.is_offline_mode()


def cache_folder() -> Path:
    """Return the client's own cache, which other libraries share: under HF_HOME."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def repository_folder(repo: str, kind: Kind) -> Path:
    """Return where the cache keeps a repository."""
    from huggingface_hub.file_download import repo_folder_name

    return cache_folder() / repo_folder_name(repo_id=repo, repo_type=kind)


def page_of(repo: str, kind: Kind) -> str:
    """Return the address of a repository's page."""
    return f"{endpoint()}/{'datasets/' if kind == 'dataset' else ''}{repo}"


def scrub(text: str) -> str:
    """Take tokens, and names, passwords and signatures in addresses, out of a text.

    Example:
        >>> scrub("GET http://kim:secret@proxy:3128 with hf_abcdefghijkl")
        'GET http://[hidden]@proxy:3128 with [hidden]'
    """
    from huggingface_hub import constants

    text = _SIGNATURES.sub(r"\1", _CREDENTIALS.sub(r"\1[hidden]@", _TOKENS.sub("[hidden]", text)))
    for token in _known_tokens(Path(constants.HF_TOKEN_PATH)):
        text = text.replace(token, "[hidden]")
    return text


def _known_tokens(file: Path) -> Iterator[str]:
    """Give the tokens that this machine has, without asking anybody for a fresh one."""
    places = [os.environ.get(name, "") for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")]
    if file.is_file():
        places.append(file.read_text("utf-8", errors="replace"))
    yield from (token.strip() for token in places if len(token.strip()) >= 8)


class _Spoken(logging.Handler):
    """Hands the client's warnings to a `Progress`, without secrets."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(logging.WARNING)
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        """Say the first line of a warning."""
        self._progress.say(f"hub: {scrub(record.getMessage()).splitlines()[0]}")


@contextmanager
def spoken(progress: Progress) -> Iterator[None]:
    """Let the client's own warnings (that it waits, that it resumes) be said by `progress` and by nobody else.

    Its own bars, which uploads have, move on a terminal only, and not for a caller who wants silence.
    """
    from huggingface_hub import constants
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    log = logging.getLogger("huggingface_hub")
    before, propagates = log.handlers[:], log.propagate
    hides_bars = constants.HF_HUB_DISABLE_PROGRESS_BARS is None and not are_progress_bars_disabled()
    hides_bars = hides_bars and (progress is SILENT or not sys.stderr.isatty())
    log.handlers[:], log.propagate = [_Spoken(progress)], False
    if hides_bars:
        disable_progress_bars()
    try:
        yield
    finally:
        log.handlers[:], log.propagate = before, propagates
        if hides_bars:
            enable_progress_bars()
