"""As much of Cloud Storage as puts, lists and removes files: a folder is its gs://."""

import email
import email.policy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


class _Handler(BaseHTTPRequestHandler):
    root: Path
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """An upload of one request."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        whole = email.message_from_bytes(head + body, policy=email.policy.HTTP)
        about, content = whole.iter_parts()
        name = json.loads(about.get_content())["name"]
        path = self._bucket() / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.get_payload(decode=True))
        self._say(HTTPStatus.OK, {"name": name})

    def do_GET(self) -> None:
        """A list of files."""
        bucket = self._bucket()
        if not bucket.is_dir():
            self._say(HTTPStatus.NOT_FOUND, {"error": {"message": "no such bucket"}})
            return
        (prefix,) = parse_qs(urlsplit(self.path).query).get("prefix", [""])
        names = [str(p.relative_to(bucket)) for p in sorted(bucket.rglob("*")) if p.is_file()]
        items = [{"name": name} for name in names if name.startswith(prefix)]
        self._say(HTTPStatus.OK, {"items": items})

    def do_DELETE(self) -> None:
        name = unquote(urlsplit(self.path).path.partition("/o/")[2])
        (self._bucket() / name).unlink()
        self._say(HTTPStatus.OK, {})

    def _bucket(self) -> Path:
        return self.root / urlsplit(self.path).path.partition("/b/")[2].partition("/")[0]

    def _say(self, status: HTTPStatus, said: dict[str, Any]) -> None:
        answer = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        """Nobody listens."""


@contextmanager
def storing(root: Path) -> Iterator[str]:
    """The address of such a server, whose buckets are the folders of `root`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"root": root}))
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
