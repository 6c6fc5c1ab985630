"""As much of Dataflow's REST as takes jobs, says how they are, and lists them."""

import json
import re
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlsplit

from http_server import serving

_JOBS = re.compile(
    r"/v1b3/projects/(?P<project>[^/]+)/locations/(?P<region>[^/]+)/jobs/?(?P<id>.*)"
)

_DESCRIBED = ("3", "JOB_VIEW_DESCRIPTION")  # the views that have labels


@dataclass
class DataflowService:
    """Dataflow, where a job is in each of `states` when it is asked for, and in the last one then.

    jobs: as they were sent; refuses: what it says instead of taking one; is_lost: whether nobody
    hears that it took one; is_silent: whether it does not say how a job is.
    """

    address: str = ""
    jobs: list[dict[str, Any]] = field(default_factory=list)
    changes: list[dict[str, Any]] = field(default_factory=list)
    states: deque[str] = field(default_factory=lambda: deque(["JOB_STATE_RUNNING"]))
    refuses: str | None = None
    is_lost: bool = False
    is_silent: bool = False

    def begun(self, job: dict[str, Any], region: str) -> dict[str, Any]:
        self.jobs.append(job)
        known = {"id": f"job-{len(self.jobs)}", "location": region}
        return job | known | {"currentState": "JOB_STATE_PENDING"}

    def state(self) -> str:
        return self.states.popleft() if len(self.states) > 1 else self.states[0]


class _Handler(BaseHTTPRequestHandler):
    service: DataflowService
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        if self.service.refuses:
            error = {"code": 400, "message": self.service.refuses, "status": "INVALID_ARGUMENT"}
            self._say({"error": error}, HTTPStatus.BAD_REQUEST)
            return
        begun = self.service.begun(self._body(), self._place()["region"])
        if self.service.is_lost:
            self.close_connection = True
        else:
            self._say(begun)

    def do_PUT(self) -> None:
        self.service.changes.append(self._body())
        self._say({"id": self._place()["id"]})

    def do_GET(self) -> None:
        if self.service.is_silent:
            error = {"code": 403, "message": "not now", "status": "PERMISSION_DENIED"}
            self._say({"error": error}, HTTPStatus.FORBIDDEN)
            return
        if number := self._place()["id"].removeprefix("job-"):
            job = self.service.jobs[int(number) - 1]
            known = {"id": f"job-{number}", "currentState": self.service.state()} | _named(job)
            viewed = parse_qs(urlsplit(self.path).query).get("view", [""])[0]
            self._say(known | ({"labels": job["labels"]} if viewed in _DESCRIBED else {}))
            return
        running = {"currentState": "JOB_STATE_RUNNING"}
        jobs = [_named(job) | running | {"id": f"job-{n}"} for n, job in self._numbered()]
        self._say({"jobs": jobs})

    def _numbered(self) -> Iterator[tuple[int, dict[str, Any]]]:
        yield from enumerate(self.service.jobs, 1)

    def _place(self) -> dict[str, str]:
        found = _JOBS.fullmatch(urlsplit(self.path).path)
        assert found, self.path
        return found.groupdict()

    def _body(self) -> dict[str, Any]:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def _say(self, said: dict[str, Any], status: HTTPStatus = HTTPStatus.OK) -> None:
        answer = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        """Nobody listens."""


def _named(job: dict[str, Any]) -> dict[str, Any]:
    return {"name": job["name"]}


@contextmanager
def dataflow_service() -> Iterator[DataflowService]:
    """Such a service, on this machine."""
    service = DataflowService()
    handler = type("Handler", (_Handler,), {"service": service})
    with serving(handler) as port:
        # by this name Beam's client knows that it is asked without TLS
        service.address = f"http://localhost:{port}"
        yield service
