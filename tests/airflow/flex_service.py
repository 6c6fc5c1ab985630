"""As much of Dataflow's REST as launches Flex templates and says how jobs are, by its own name.

Clients get here as through a proxy: what they say to dataflow.googleapis.com is answered here, with
a certificate of that name, which they have to trust.
"""

import json
import re
import ssl
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from http_server import serving

_NAME = "dataflow.googleapis.com"
_PLACE = re.compile(r"/v1b3/projects/(?P<project>[^/]+)/locations/(?P<region>[^/]+)/(?P<what>.+)")


@dataclass
class FlexService:
    """Dataflow, whose jobs are in each of `states` when they are asked for, and in the last then.

    certificate: of its name, in PEM; launches: the project and region of each, and what was asked;
    refuses: what it says instead of launching.
    """

    certificate: Path
    address: str = ""
    launches: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    states: deque[str] = field(default_factory=lambda: deque(["JOB_STATE_DONE"]))
    refuses: str | None = None

    def environment(self) -> dict[str, str]:
        """What has Google's client talk to this one, in a process that begins with it."""
        return {"https_proxy": self.address, "HTTPLIB2_CA_CERTS": str(self.certificate)}

    def state(self) -> str:
        return self.states.popleft() if len(self.states) > 1 else self.states[0]


class _Handler(BaseHTTPRequestHandler):
    service: FlexService
    context: ssl.SSLContext
    protocol_version = "HTTP/1.1"

    def do_CONNECT(self) -> None:
        assert self.path == f"{_NAME}:443", self.path
        self.send_response(HTTPStatus.OK)
        self.end_headers()
        super().finish()
        self.request = self.context.wrap_socket(self.request, server_side=True)
        self.setup()
        self.close_connection = False

    def finish(self) -> None:
        super().finish()
        self.request.close()

    def do_POST(self) -> None:
        place = self._place()
        assert place["what"] == "flexTemplates:launch", self.path
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.service.refuses:
            error = {"code": 409, "message": self.service.refuses, "status": "ALREADY_EXISTS"}
            self._say({"error": error}, HTTPStatus.CONFLICT)
        else:
            self.service.launches.append((place["project"], place["region"], asked))
            self._say({"job": self._job(len(self.service.launches), "JOB_STATE_QUEUED")})

    def do_GET(self) -> None:
        number = int(self._place()["what"].removeprefix("jobs/job-"))
        self._say(self._job(number, self.service.state()))

    def _job(self, number: int, state: str) -> dict[str, Any]:
        project, region, asked = self.service.launches[number - 1]
        known = {"id": f"job-{number}", "projectId": project, "location": region}
        name = asked["launchParameter"]["jobName"]
        return known | {"name": name, "type": "JOB_TYPE_BATCH", "currentState": state}

    def _place(self) -> dict[str, str]:
        found = _PLACE.fullmatch(urlsplit(self.path).path)
        assert found, self.path
        return found.groupdict()

    def _say(self, said: dict[str, Any], status: HTTPStatus = HTTPStatus.OK) -> None:
        answer = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        """Nobody listens."""


@contextmanager
def flex_service(folder: Path) -> Iterator[FlexService]:
    """Such a service, on this machine, whose certificate is in a folder."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    service = FlexService(_certificate(folder, context))
    handler = type("Handler", (_Handler,), {"service": service, "context": context})
    with serving(handler) as port:
        service.address = f"http://127.0.0.1:{port}"
        yield service


def _certificate(folder: Path, context: ssl.SSLContext) -> Path:
    """One of the service's name, signed by itself, which goes into a file and the context."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _NAME)])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(_NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file, secret = folder / "certificate.pem", folder / "key.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    secret.write_bytes(key.private_bytes(*form, serialization.NoEncryption()))
    context.load_cert_chain(file, secret)
    return file
