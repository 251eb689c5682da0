"""Web extra: says what to install where the libraries of a web server are absent."""

from importlib.util import find_spec

from limbeck.errors import MissingExtraError

WEB_MODULES = ("starlette", "uvicorn", "httptools", "jinja2")


def need_web_server() -> None:
    """Refuse to go on without a web server.

    Raises:
        MissingExtraError: one of its libraries is not installed.
    """
    if absent := [name for name in WEB_MODULES if find_spec(name) is None]:
        raise MissingExtraError(
            f'limbeck serve needs {", ".join(absent)}, which is not installed: pip install "limbeck[serve]"'
        )
