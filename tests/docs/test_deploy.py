"""deploy/: the files that docs/serving.md hands out work as they stand."""

import json
import os
import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.serving.in_process import InProcess, bundle_of, front_of, running

from limbeck.inference.predictor import Predictor
from limbeck.model.loaded_encoder import LoadedEncoder

DEPLOY = Path(__file__).parents[2] / "deploy"
NAME = "classify.example.org"
MAIN = """
{user} daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ }}
http {{
    client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
    uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
    include {folder}/limbeck.conf;
}}
"""
"""What Debian's own nginx.conf is around conf.d, for somebody who is not root."""


def program(name: str) -> str:
    """A program that is needed, also where only root looks."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/bin")
    if found is None:
        pytest.skip(f"{name} is not installed: deploy/ was not tried with it")
    return found


@pytest.fixture
def through_nginx(tiny_loaded: LoadedEncoder, tmp_path: Path, free_port: int) -> Iterator[tuple[str, ssl.SSLContext]]:
    """The service behind nginx with a certificate of our own: its address, and what trusts the certificate."""
    nginx, openssl = program("nginx"), program("openssl")
    make = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={NAME}"]
    made = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem"]
    subprocess.run([*make, *made], check=True, capture_output=True)
    predictor = Predictor(bundle_of("single", tiny_loaded), device="cpu", engine="torch-float32")
    with running(front_of(InProcess(predictor), max_body_bytes=10_000)) as behind:
        conf = (DEPLOY / "nginx.conf").read_text("utf-8")
        for said, here in (
            ("127.0.0.1:8080", behind.removeprefix("http://")),
            ("listen 443 ", f"listen 127.0.0.1:{free_port} "),
            ("    listen [::]:443 ssl http2;\n", ""),
            ("/etc/ssl/limbeck/fullchain.pem", str(tmp_path / "cert.pem")),
            ("/etc/ssl/limbeck/privkey.pem", str(tmp_path / "key.pem")),
            ("/var/log/nginx/limbeck.log", str(tmp_path / "access.log")),
        ):
            assert conf.count(said) >= 1, said
            conf = conf.replace(said, here)
        (tmp_path / "limbeck.conf").write_text(conf, "utf-8")
        # Started by root, it would write bodies as somebody to whom this folder is closed.
        user = "user root;" if os.geteuid() == 0 else ""
        (tmp_path / "nginx.conf").write_text(MAIN.format(folder=tmp_path, user=user), "utf-8")
        started = subprocess.Popen([nginx, "-c", tmp_path / "nginx.conf", "-p", tmp_path], stderr=subprocess.PIPE)
        try:
            until = time.monotonic() + 10
            while not (tmp_path / "nginx.pid").exists():
                assert started.poll() is None, started.communicate()[1].decode()
                assert time.monotonic() < until
                time.sleep(0.01)
            yield f"https://127.0.0.1:{free_port}/", ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
        finally:
            started.terminate()
            started.communicate(timeout=10)


@pytest.fixture
def free_port() -> int:
    """A port that nobody listened on a moment ago."""
    import socket

    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port


@pytest.mark.slow
def test_nginx(through_nginx: tuple[str, ssl.SSLContext], tmp_path: Path) -> None:
    """Answers, pages, limits and refusals come through; metrics do not; no text stands in the log."""
    address, trust = through_nginx

    def get(path: str, body: Any = None, **headers: str) -> tuple[int, bytes, dict[str, str]]:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            sent["content-type"] = "application/json"
        data = None if body is None else json.dumps(body).encode()
        try:
            request = urllib.request.Request(address + path, data, sent)  # noqa: S310  # of this machine
            with urllib.request.urlopen(request, context=trust, timeout=10) as answer:  # noqa: S310  # the same
                return answer.status, answer.read(), dict(answer.headers)
        except urllib.error.HTTPError as error:
            return error.code, error.read(), dict(error.headers)

    status, body, headers = get("classify", {"input": "i feel fine"}, origin=address.rstrip("/"))
    assert (status, json.loads(body)["data"][0]["index"]) == (200, 0)
    assert "max-age" in {name.lower(): value for name, value in headers.items()}["strict-transport-security"]
    assert get("classify", {"input": "i feel fine"}, origin="https://elsewhere.example")[0] == 403
    assert get("classify", {"input": "i feel fine"}, host="elsewhere.example")[0] == 403
    status, body, _ = get("classify", {"input": "x" * 20_000})
    assert (status, json.loads(body)["limit"]) == (413, 10_000)
    assert get("readyz")[0] == 200
    assert get("metrics")[0] == 403
    status, body, headers = get("", accept="text/html")
    assert status == 200
    assert b'<form id="ask">' in body
    log = (tmp_path / "access.log").read_text("utf-8")
    assert "POST /classify" in log
    assert "fine" not in log


def test_unit_of_systemd(tmp_path: Path) -> None:
    """The unit: systemd knows every line, and finds the service little exposed (below 2 of 10)."""
    analyse = program("systemd-analyze")
    unit = tmp_path / "limbeck.service"
    text = (DEPLOY / "limbeck.service").read_text("utf-8")
    unit.write_text(text.replace("/opt/limbeck/bin/limbeck", shutil.which("true") or "/bin/true"), "utf-8")
    checked = subprocess.run([analyse, "verify", unit], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
    judged = subprocess.run(
        [analyse, "security", "--offline=true", "--threshold=20", "--no-pager", unit],
        capture_output=True,
        text=True,
        check=False,
    )
    assert judged.returncode == 0, judged.stdout[-500:]


def test_container_needs_no_root() -> None:
    """What runs is a user with a number and no name, given as a list, so that signals reach limbeck itself."""
    lines = (DEPLOY / "Containerfile").read_text("utf-8").splitlines()
    last = {line.split()[0]: line.split(maxsplit=1)[1] for line in lines if line and not line.startswith(("#", " "))}
    user, group = last["USER"].split(":")
    assert int(user) >= 1000
    assert int(group) >= 1000
    assert json.loads(last["ENTRYPOINT"]) == ["/opt/limbeck/bin/limbeck", "serve"]
    assert json.loads(last["CMD"])[-2:] == ["--host", "0.0.0.0"]  # noqa: S104  # inside a container
    assert "VOLUME" not in last
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY ") and "--from" not in line]
    assert [name for names in copied for name in names if not (DEPLOY.parent / name).exists()] == []
