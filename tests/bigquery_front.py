"""Stands between a client and the BigQuery emulator, and has load jobs go wrong as told.

It also does what the emulator does not: a load job has the id it was asked for by, and one that is
asked for again is answered with 409, as the service does.
"""

import json
import re
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from threading import RLock
from typing import Any, Literal
from urllib.parse import urlsplit

from http_server import serving

Fault = Literal["none", "busy", "lost", "kill", "kill before", "kill, then land"]
_VIEW = re.compile(r"CREATE OR REPLACE VIEW `[^`]*\.(\w+)`")
_HOPS = {"transfer-encoding", "connection", "content-length", "content-encoding"}


@dataclass
class Front:
    """What is to go wrong: `faults` has, by table, what becomes of its load jobs, in their order.

    none: it is done. busy: 503, and nothing is done. lost: it is done, but the answer does not
    arrive. kill: it is done, and `kill` is called. kill before: it is not done. kill, then land: it
    is done when somebody looks at it, or asks for another job, later.

    Views that are not in `views` are not made: the emulator takes its time for each. Statements
    that a pattern of `refuses` matches are answered with 400 and its words.
    """

    target: str
    views: frozenset[str]
    kill: Callable[[], object] = lambda: None
    refuses: dict[str, str] = field(default_factory=dict)
    faults: dict[str, deque[Fault]] = field(default_factory=lambda: defaultdict(deque))
    jobs: dict[str, str] = field(default_factory=dict)  # and the ids that the emulator gave them
    uploads: dict[str, tuple[str, str]] = field(default_factory=dict)  # their jobs and tables
    waiting: dict[str, Callable[[], str]] = field(default_factory=dict)
    again: list[str] = field(default_factory=list)
    lock: RLock = field(default_factory=RLock)

    def land(self) -> None:
        """Do the jobs that wait."""
        for name in list(self.waiting):
            self.jobs[name] = self.waiting.pop(name)()


class _Handler(BaseHTTPRequestHandler):
    front: Front
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        name = path.rpartition("/")[2]
        with self.front.lock:
            if name in self.front.waiting:
                self.front.land()
            if name in self.front.jobs:
                self._tell(name)
            elif path.endswith("/jobs"):
                running = [_running(_project(path), job) for job in self.front.waiting]
                self._say(HTTPStatus.OK, {"jobs": running if "=running" in self.path else []})
            else:
                self._pass_on()

    def do_POST(self) -> None:
        if self.path.startswith("/upload"):
            self._begin()
        else:
            self._pass_on()

    def do_PUT(self) -> None:
        if self.path in self.front.uploads:
            self._load()
        else:
            self._pass_on()

    def do_PATCH(self) -> None:
        self._pass_on()

    def _begin(self) -> None:
        """A file is going to come, for a job."""
        body = self._body()
        asked = json.loads(body)
        table = asked["configuration"]["load"]["destinationTable"]["tableId"]
        status, headers, answer = _forward(
            self.front.target, "POST", self.path, body, dict(self.headers)
        )
        (place,) = (name for name in headers if name.lower() == "location")
        path = "/" + headers[place].partition("://")[2].partition("/")[2]
        self.front.uploads[path] = asked["jobReference"]["jobId"], table
        headers[place] = f"http://{self.headers['Host']}{path}"
        self._send(status, headers, answer)

    def _load(self) -> None:
        body = self._body()
        name, table = self.front.uploads[self.path]
        with self.front.lock:
            if name in self.front.jobs or name in self.front.waiting:
                self.front.again.append(name)
                self._say(HTTPStatus.CONFLICT, _error(409, "Already Exists: Job"))
                return
            queue = self.front.faults[table]
            fault: Fault = queue.popleft() if queue else "none"
            if fault == "busy":
                self._say(HTTPStatus.SERVICE_UNAVAILABLE, _error(503, "made to be busy"))
                return
            self.front.land()
            self._do(fault, name, body)

    def _do(self, fault: Fault, name: str, body: bytes) -> None:
        request = (self.path, body, dict(self.headers))
        if fault == "kill, then land":
            self.front.waiting[name] = lambda: self._forward_load(*request)
        elif fault != "kill before":
            self.front.jobs[name] = self._forward_load(*request)
        if fault.startswith("kill"):
            self.front.kill()
        if fault == "none":
            self._tell(name)
        else:  # no answer
            self.close_connection = True

    def _forward_load(self, path: str, body: bytes, headers: Any) -> str:
        status, _, answer = _forward(self.front.target, "PUT", path, body, headers)
        assert status == HTTPStatus.OK, answer
        name: str = json.loads(answer)["jobReference"]["jobId"]
        return name

    def _tell(self, name: str) -> None:
        """Say of a job what the emulator says of it."""
        path = f"/bigquery/v2/projects/{_project(self.path)}/jobs/{self.front.jobs[name]}"
        status, _, answer = _forward(self.front.target, "GET", path, b"", {})
        job = json.loads(answer)
        job["jobReference"]["jobId"] = name
        self._say(HTTPStatus(status), job)

    def _pass_on(self) -> None:
        body = self._body()
        if self.path.partition("?")[0].endswith("/queries"):
            body = self._query(body)
        if refusal := self._refusal(body):
            self._say(HTTPStatus.BAD_REQUEST, _error(400, refusal))
            return
        status, headers, answer = _forward(
            self.front.target, self.command, self.path, body, dict(self.headers)
        )
        self._send(status, headers, answer)

    def _query(self, body: bytes) -> bytes:
        asked = json.loads(body)
        view = _VIEW.match(asked["query"])
        if view and view[1] not in self.front.views:
            asked["query"] = "SELECT 1"
        return json.dumps(asked).encode()

    def _refusal(self, body: bytes) -> str | None:
        said = self.front.refuses.items()
        return next((words for like, words in said if re.search(like, body.decode())), None)

    def _say(self, status: HTTPStatus, said: dict[str, Any]) -> None:
        self._send(status, {"Content-Type": "application/json"}, json.dumps(said).encode())

    def _send(self, status: int, headers: dict[str, str], answer: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in _HOPS:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def log_message(self, *_: Any) -> None:
        """Nobody listens."""


def _forward(
    target: str, method: str, path: str, body: bytes, headers: dict[str, str]
) -> tuple[int, dict[str, str], bytes]:
    connection = HTTPConnection(urlsplit(target).netloc)
    try:
        own = {"Accept-Encoding": "identity", "Content-Length": str(len(body))}
        connection.request(method, path, body, {**headers, **own})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def _project(path: str) -> str:
    return path.partition("/projects/")[2].partition("/")[0]


def _running(project: str, name: str) -> dict[str, Any]:
    return {
        "id": name,
        "jobReference": {"jobId": name, "projectId": project},
        "configuration": {"jobType": "LOAD", "load": {}},
        "status": {"state": "RUNNING"},
        "state": "RUNNING",
    }


def _error(code: int, said: str) -> dict[str, Any]:
    reason = {400: "invalidQuery", 409: "duplicate"}.get(code, "backendError")
    found = {"message": said, "reason": reason}
    return {"error": {"code": code, "message": said, "errors": [found]}}


@contextmanager
def fronting(target: str, views: frozenset[str]) -> Iterator[tuple[str, Front]]:
    """The address of such a front of an emulator, and the front."""
    front = Front(target, views)
    handler = type("Handler", (_Handler,), {"front": front})
    with serving(handler) as port:
        yield f"http://127.0.0.1:{port}", front
