"""A hub of our own: an HTTP server that answers what the real client library asks.

It gives the headers that the real hub gives: files of git and of LFS (these on another port, as on another host),
ranges, commits. Faults are laid in beforehand: a status, a cut, other bytes.
"""

import base64
import hashlib
import json
import re
import socket
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

TOKEN = "hf_" + "fakeTokenOfTheTests0123456789"
LARGE = (".safetensors", ".parquet")


@dataclass
class Fault:
    """What happens to the next `times` requests whose "METHOD path" matches."""

    match: str
    times: int = 1
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    flips: bool = False
    body: bytes = b""


@dataclass
class Repo:
    """A repository: commits in order, each a whole tree."""

    kind: str
    name: str
    commits: list[dict[str, bytes]] = field(default_factory=list)
    refs: dict[str, int] = field(default_factory=dict)
    private: bool = False
    gated: bool = False

    def sha(self, number: int) -> str:
        listing = sorted((name, hashlib.sha256(content).hexdigest()) for name, content in self.commits[number].items())
        return git_sha1(json.dumps([number, self.name, listing]).encode())

    def commit(self, files: dict[str, bytes], revision: str = "main") -> str:
        self.commits.append(files)
        self.refs[revision] = len(self.commits) - 1
        return self.sha(len(self.commits) - 1)

    def find(self, revision: str) -> int | None:
        if revision in self.refs:
            return self.refs[revision]
        return next((number for number in range(len(self.commits)) if self.sha(number) == revision), None)


class Hub:
    """The server's state, and its log."""

    def __init__(self) -> None:
        self.repos: dict[tuple[str, str], Repo] = {}
        self.objects: dict[str, bytes] = {}
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.endpoint = self.storage = ""

    def add(self, kind: str, name: str, files: dict[str, bytes], **flags: Any) -> Repo:
        repo = Repo(kind=kind, name=name, **flags)
        repo.commit(files)
        self.repos[kind, name] = repo
        return repo

    def asked(self, match: str) -> list[tuple[str, str, dict[str, str]]]:
        return [request for request in self.requests if re.search(match, f"{request[0]} {request[1]}")]

    def fault_for(self, line: str) -> Fault | None:
        for fault in self.faults:
            if fault.times > 0 and re.search(fault.match, line):
                fault.times -= 1
                return fault
        return None


def is_large(name: str) -> bool:
    return name.endswith(LARGE)


def git_sha1(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    protocol_version = "HTTP/1.1"
    hub: ClassVar[Hub]

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        self._answer()

    do_HEAD = do_POST = do_PUT = do_GET

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path)
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.hub.requests.append((self.command, path, dict(self.headers)))
        fault = self.hub.fault_for(f"{self.command} {path}")
        if fault is not None and fault.status is not None:
            self._send(fault.status, fault.body, fault.headers)
            return
        routes = (
            (r"/api/(models|datasets)/(.+?)/tree/([^/]+)", self._tree, "GET"),
            (r"/api/(models|datasets)/(.+?)(?:/revision/(.+))?", self._info, "GET"),
            (r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+|refs/[^/]+/[^/]+)/(.+)", self._file, "GET HEAD"),
            (r"/lfs/([0-9a-f]{64})", self._object, "GET HEAD"),
            (r"/lfs/([0-9a-f]{64})", self._put_object, "PUT"),
            (r"/api/repos/create", self._create, "POST"),
            (r"/api/validate-yaml", self._validate, "POST"),
            (r"/api/models/(.+)/branch/(.+)", self._branch, "POST"),
            (r"/api/models/(.+)/preupload/(.+)", self._preupload, "POST"),
            (r"/(.+)\.git/info/lfs/objects/batch", self._batch, "POST"),
            (r"/api/models/(.+)/commit/(.+)", self._commit, "POST"),
        )
        for pattern, route, methods in routes:
            if self.command in methods.split() and (found := re.fullmatch(pattern, path)):
                route(found, content, fault)
                return
        self._send(404, b"{}")

    def _send(
        self, status: int, content: bytes = b"", headers: dict[str, str] | None = None, cut_after: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content[:cut_after])
        if cut_after is not None:
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

    def _json(self, value: Any, status: int = 200) -> None:
        self._send(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _error(self, status: int, code: str, message: str = "") -> None:
        self._send(status, b"{}", {"X-Error-Code": code, "X-Error-Message": message or code})

    def _token(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def _repo(self, kind: str, name: str, revision: str) -> tuple[Repo, int] | None:
        """Find a commit, or send the error that the hub sends."""
        repo = self.hub.repos.get((kind, name))
        if repo is None or (repo.private and self._token() != TOKEN):
            self._error(404 if self._token() == TOKEN else 401, "RepoNotFound")
        elif repo.gated and self._token() != TOKEN:
            self._error(403, "GatedRepo")
        elif (number := repo.find(revision)) is None:
            self._error(404, "RevisionNotFound", f"Invalid rev id: {revision}")
        else:
            return repo, number
        return None

    def _info(self, found: re.Match[str], _: bytes, __: Fault | None) -> None:
        place = self._repo(found[1].removesuffix("s"), found[2], found[3] or "main")
        if place is None:
            return
        repo, number = place
        siblings = []
        for name, content in repo.commits[number].items():
            sibling: dict[str, Any] = {"rfilename": name, "size": len(content), "blobId": git_sha1(content)}
            if is_large(name):
                sha256 = hashlib.sha256(content).hexdigest()
                sibling["lfs"] = {"sha256": sha256, "size": len(content), "pointerSize": 134}
            siblings.append(sibling)
        facts = {"id": repo.name, "private": repo.private, "sha": repo.sha(number), "siblings": siblings}
        self._json({**facts, "modelId": repo.name, "tags": [], "downloads": 0, "likes": 0})

    def _tree(self, found: re.Match[str], _: bytes, __: Fault | None) -> None:
        place = self._repo(found[1].removesuffix("s"), found[2], found[3])
        if place is not None:
            files = place[0].commits[place[1]].items()
            self._json(
                [{"type": "file", "path": name, "size": len(data), "oid": git_sha1(data)} for name, data in files]
            )

    def _file(self, found: re.Match[str], _: bytes, fault: Fault | None) -> None:
        place = self._repo("dataset" if found[1] else "model", found[2], found[3])
        if place is None:
            return
        repo, number = place
        content = repo.commits[number].get(found[4])
        commit = {"X-Repo-Commit": repo.sha(number)}
        if content is None:
            self._send(404, b"", {"X-Error-Code": "EntryNotFound", **commit})
            return
        if is_large(found[4]):
            sha256 = hashlib.sha256(content).hexdigest()
            self.hub.objects[sha256] = content
            linked = {"X-Linked-Etag": f'"{sha256}"', "X-Linked-Size": str(len(content))}
            self._send(302, b"", {**commit, **linked, "Location": f"{self.hub.storage}/lfs/{sha256}"})
            return
        self._bytes(content, {**commit, "ETag": f'"{git_sha1(content)}"'}, fault)

    def _object(self, found: re.Match[str], _: bytes, fault: Fault | None) -> None:
        self._bytes(self.hub.objects[found[1]], {"ETag": f'"{found[1]}"'}, fault)

    def _bytes(self, content: bytes, headers: dict[str, str], fault: Fault | None) -> None:
        if fault is not None and fault.flips:
            content = content[:-1] + bytes([content[-1] ^ 1])
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(asked[1]) if asked else 0
        span = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if asked else {}
        cut_after = None if fault is None else fault.cut_after
        self._send(206 if asked else 200, content[start:], {**headers, **span, "Accept-Ranges": "bytes"}, cut_after)

    def _create(self, _: re.Match[str], content: bytes, __: Fault | None) -> None:
        asked = json.loads(content)
        name = f"{asked['organization']}/{asked['name']}" if asked.get("organization") else asked["name"]
        if self._token() != TOKEN:
            self._error(401, "Unauthorized", "Invalid username or password.")
        elif ("model", name) in self.hub.repos:
            self._error(409, "Conflict", "You already created this model repo")
        else:
            self.hub.add("model", name, {".gitattributes": b"*.safetensors filter=lfs\n"})
            self.hub.repos["model", name].private = asked.get("visibility") == "private" or bool(asked.get("private"))
            self._json({"url": f"{self.hub.endpoint}/{name}"})

    def _validate(self, _: re.Match[str], __: bytes, ___: Fault | None) -> None:
        self._json({"errors": [], "warnings": []})

    def _branch(self, found: re.Match[str], _: bytes, __: Fault | None) -> None:
        repo = self.hub.repos["model", found[1]]
        if found[2] in repo.refs:
            self._error(409, "Conflict", "Reference already exists")
            return
        repo.refs[found[2]] = repo.refs["main"]
        self._json({})

    def _preupload(self, _: re.Match[str], content: bytes, __: Fault | None) -> None:
        files = json.loads(content)["files"]
        modes = [{"path": file["path"], "uploadMode": "lfs" if is_large(file["path"]) else "regular"} for file in files]
        self._json({"files": [{**mode, "shouldIgnore": False, "oid": None} for mode in modes]})

    def _batch(self, _: re.Match[str], content: bytes, __: Fault | None) -> None:
        objects = []
        for asked in json.loads(content)["objects"]:
            href = {"upload": {"href": f"{self.hub.storage}/lfs/{asked['oid']}"}}
            objects.append({**asked, **({} if asked["oid"] in self.hub.objects else {"actions": href})})
        self._json({"transfer": "basic", "objects": objects})

    def _put_object(self, found: re.Match[str], content: bytes, _: Fault | None) -> None:
        assert hashlib.sha256(content).hexdigest() == found[1]
        self.hub.objects[found[1]] = content
        self._send(200)

    def _commit(self, found: re.Match[str], content: bytes, _: Fault | None) -> None:
        repo = self.hub.repos["model", found[1]]
        if self._token() != TOKEN:
            self._error(403, "Forbidden", "You don't have the rights")
            return
        files = dict(repo.commits[repo.refs[found[2]]])
        for line in map(json.loads, content.splitlines()):
            if line["key"] == "file":
                files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            elif line["key"] == "lfsFile":
                files[line["value"]["path"]] = self.hub.objects[line["value"]["oid"]]
        sha = repo.commit(files, found[2])
        self._json({"commitUrl": f"{self.hub.endpoint}/{repo.name}/commit/{sha}", "commitOid": sha, "success": True})
