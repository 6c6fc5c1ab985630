"""As much of Cloud Storage as puts, gets, lists and removes files: a folder is its gs://."""

import base64
import email
import email.policy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import google_crc32c
from http_server import serving


class _Handler(BaseHTTPRequestHandler):
    root: Path
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """An upload of one request, or the beginning of one of several."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if "uploadType=resumable" in self.path:
            at = f"http://{self.headers['Host']}{self.path}&upload_id={json.loads(body)['name']}"
            self._say(HTTPStatus.OK, {}, Location=at)
            return
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        whole = email.message_from_bytes(head + body, policy=email.policy.HTTP)
        about, content = whole.iter_parts()
        name = json.loads(about.get_content())["name"]
        path = self._bucket() / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.get_payload(decode=True))
        self._say(HTTPStatus.OK, {"name": name})

    def do_PUT(self) -> None:
        """The next part of an upload: `bytes 0-5/*`, and the last one says how many there are."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        (name,) = parse_qs(urlsplit(self.path).query)["upload_id"]
        path = self._bucket() / name
        path.parent.mkdir(parents=True, exist_ok=True)
        span, _, whole = self.headers["Content-Range"].removeprefix("bytes ").partition("/")
        with path.open("wb" if span.startswith(("0-", "*")) else "ab") as file:
            file.write(body)
        if whole == "*":
            self._say(HTTPStatus.PERMANENT_REDIRECT, {}, Range=f"bytes=0-{path.stat().st_size - 1}")
        else:
            self._say(HTTPStatus.OK, self._about(path))

    def do_GET(self) -> None:
        """A list of files, what is known of a file or a bucket, or what a file holds."""
        bucket, name = self._bucket(), self._name()
        if not bucket.is_dir() or (name and not (bucket / name).is_file()):
            missing = "file" if bucket.is_dir() else "bucket"
            self._say(HTTPStatus.NOT_FOUND, {"error": {"message": f"no such {missing}"}})
        elif not name:
            (prefix,) = parse_qs(urlsplit(self.path).query).get("prefix", [""])
            items = [self._about(path) for path in sorted(bucket.rglob("*")) if path.is_file()]
            items = [each for each in items if each["name"].startswith(prefix)]
            self._say(HTTPStatus.OK, {"name": bucket.name, "items": items})
        elif "alt=media" in self.path:
            first, _, last = self.headers.get("Range", "bytes=0-").partition("=")[2].partition("-")
            whole = (bucket / name).read_bytes()
            end = min(int(last) + 1 if last else len(whole), len(whole))
            span = f"bytes {first}-{end - 1}/{len(whole)}"
            self._send(HTTPStatus.PARTIAL_CONTENT, whole[int(first) : end], {"Content-Range": span})
        else:
            self._say(HTTPStatus.OK, self._about(bucket / name))

    def do_DELETE(self) -> None:
        (self._bucket() / self._name()).unlink()
        self._say(HTTPStatus.OK, {})

    def _about(self, path: Path) -> dict[str, Any]:
        name, size = str(path.relative_to(self._bucket())), str(path.stat().st_size)
        known = {"bucket": self._bucket().name, "name": name, "size": size, "generation": "1"}
        checksum = base64.b64encode(google_crc32c.Checksum(path.read_bytes()).digest()).decode()
        return known | {"updated": "2026-01-15T12:00:00.000Z", "crc32c": checksum}

    def _name(self) -> str:
        return unquote(urlsplit(self.path).path.partition("/o/")[2])

    def _bucket(self) -> Path:
        return self.root / urlsplit(self.path).path.partition("/b/")[2].partition("/")[0]

    def _say(self, status: HTTPStatus, said: dict[str, Any], **more: str) -> None:
        self._send(status, json.dumps(said).encode(), {"Content-Type": "application/json"} | more)

    def _send(self, status: HTTPStatus, answer: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        """Nobody listens."""


@contextmanager
def storing(root: Path) -> Iterator[str]:
    """The address of such a server, whose buckets are the folders of `root`."""
    with serving(type("Handler", (_Handler,), {"root": root})) as port:
        yield f"http://127.0.0.1:{port}"
