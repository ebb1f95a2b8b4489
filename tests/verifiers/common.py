"""What the checks share: servers that are started and stopped, requests, tokens, and the lines of
the report."""

import atexit
import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

HERE = Path(__file__).parent
HOME = Path(os.environ["VERIFIERS_HOME"])
ALGORITHMS = ["ES256", "EdDSA", "RS256"]
AUDIENCE = "mapae"
PASSWORD = "correct horse battery"
HOUR = 3600

# --- The report -------------------------------------------------------------------------------

_group = Path(sys.argv[0]).stem.removeprefix("check_")
_counts = {"ok": 0, "FAIL": 0}


def report(holds, what, saw=""):
    word = "ok" if holds else "FAIL"
    _counts[word] += 1
    print(f"{word:4} {_group}: {what}" + (f": {saw}" if saw else ""))
    return holds


@contextlib.contextmanager
def section(name):
    """Checks that stand or fall together: what breaks them off is a failure of its own."""
    try:
        yield
    except Exception as error:  # noqa: BLE001
        report(False, f"{name}: could not run", f"{type(error).__name__}: {error}")


def finish():
    print(f"     {_group}: {_counts['ok']} held, {_counts['FAIL']} did not")
    # A run that showed nothing has proved nothing.
    sys.exit(1 if _counts["FAIL"] or not _counts["ok"] else 0)


# --- Servers ----------------------------------------------------------------------------------

_running = []


def _stop_all():
    for process in _running:
        # None of them holds anything worth an orderly end.
        process.kill()
    for process in _running:
        process.wait()


atexit.register(_stop_all)
for _signal in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(_signal, lambda number, _frame: sys.exit(128 + number))


class Server:
    """A process that says on standard error where it listens. It starts while others do; whoever
    asks for its origin waits for it."""

    def __init__(self, name, command, environment):
        self.name = name
        self.folder = Path(tempfile.mkdtemp(prefix="server-"))
        self.log = self.folder / "log"
        clean = {k: v for k, v in os.environ.items() if not k.startswith("MAPAE_")}
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=clean | environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        _running.append(self.process)
        self._origin = None

    @property
    def origin(self):
        # A key of RS256 takes a debug build its time.
        end = time.monotonic() + 60
        while self._origin is None:
            ended = self.process.poll() is not None
            log = self.log.read_text()
            if found := re.search(r"listening on (http://[0-9.:]+)", log):
                self._origin = found[1]
            elif ended or time.monotonic() > end:
                last = log.strip().splitlines()[-1:] or ["nothing in its log"]
                raise RuntimeError(f"{self.name} does not start: {last[0]}")
            else:
                time.sleep(0.05)
        return self._origin

    def stop(self):
        self.process.kill()
        self.process.wait()

    def send(self, method, path, body=None, content_type=None, headers=None):
        """Sends bytes as they are, and JSON for anything else."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            content_type = content_type or "application/json"
        headers = dict(headers or {})
        if content_type:
            headers["Content-Type"] = content_type
        connection = http.client.HTTPConnection(self.origin.removeprefix("http://"), timeout=30)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return Answer(
                answer.status,
                (answer.getheader("Content-Type") or "").split(";")[0],
                answer.getheader("WWW-Authenticate"),
                answer.read().decode(),
            )
        finally:
            connection.close()

    def post(self, path, body, **more):
        return self.send("POST", path, body, **more)


@dataclass
class Answer:
    status: int
    media_type: str
    challenge: str | None
    text: str

    @property
    def json(self):
        return json.loads(self.text)

    def expect(self, status):
        if self.status != status:
            raise RuntimeError(f"answered {self.status}, not {status}: {self.text[:200]}")
        return self.json


class Mapae(Server):
    def __init__(self, name="mapae", **settings):
        environment = {f"MAPAE_{key}": value for key, value in settings.items()}
        environment["MAPAE_SERVER__LISTEN"] = "127.0.0.1:0"
        super().__init__(name, [os.environ["MAPAE_E2E_BIN"], "serve"], environment)

    @property
    def issuer(self):
        return self.origin.replace("127.0.0.1", "localhost")

    @property
    def jwks_url(self):
        return self.origin + "/.well-known/jwks.json"

    def sign_up(self, username="minji"):
        """Makes an account, and returns what a log-in to it answers."""
        email = f"{username}@example.com"
        person = {"email": email, "username": username, "password": PASSWORD}
        begun = self.post("/v1/registrations", person).expect(202)
        end = time.monotonic() + 20
        while not (
            found := self.send("GET", f"/dev/inbox/messages?to={email}").expect(200)["messages"]
        ):
            if time.monotonic() > end:
                raise RuntimeError("no mail came")
            time.sleep(0.05)
        verification = begun["verifications"][0]["id"]
        self.post(f"/v1/verifications/{verification}/check", {"code": found[0]["code"]}).expect(200)
        return self.post("/v1/tokens", {"login": username, "password": PASSWORD}).expect(200)


class Service(Server):
    """The Django of service.py."""

    def __init__(self, name, people=(), username_field="username", **config):
        python = HOME / ("older" if config.get("package") == "older" else "python") / "bin/python"
        config = {"secret_key": "of no use here, but Django wants one", "people": people} | config
        environment = {"SERVICE": json.dumps(config), "SERVICE_USERNAME_FIELD": username_field}
        super().__init__(name, [python, HERE / "service.py"], environment)


# --- Tokens -----------------------------------------------------------------------------------


def claims_of(token):
    return jwt.decode(token, options={"verify_signature": False})


def header_of(token):
    return jwt.get_unverified_header(token)


def _part(data):
    raw = data if isinstance(data, bytes) else json.dumps(data, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def altered(token):
    """Another signature, in its middle, where every bit counts."""
    head, signature = token.rsplit(".", 1)
    middle = len(signature) // 2
    other = "A" if signature[middle] != "A" else "B"
    return f"{head}.{signature[:middle]}{other}{signature[middle + 1 :]}"


def with_claims(token, **claims):
    """Other claims under the old signature."""
    header, _, signature = token.split(".")
    return f"{header}.{_part(claims_of(token) | claims)}.{signature}"


def unsigned(token):
    return f"{_part(header_of(token) | {'alg': 'none'})}.{token.split('.')[1]}."


def resigned(token, key, algorithm="HS256", drop=(), **claims):
    """Signed again with `key`, some claims changed."""
    changed = {k: v for k, v in (claims_of(token) | claims).items() if k not in drop}
    headers = {k: v for k, v in header_of(token).items() if k != "alg"}
    return jwt.encode(changed, key, algorithm, headers=headers)


def signed_with_public_key(token, jwks):
    """HS256, the key being the text of the public key: taken where a verifier lets the token choose
    the algorithm."""
    key = jwt.PyJWK(next(k for k in jwks["keys"] if k["kid"] == header_of(token)["kid"])).key
    text = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signed = f"{_part(header_of(token) | {'alg': 'HS256'})}.{token.split('.')[1]}"
    return f"{signed}.{_part(hmac.digest(text, signed.encode(), hashlib.sha256))}"


def stranger(algorithm):
    """A fresh key that nobody has published."""
    return {
        "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "EdDSA": ed25519.Ed25519PrivateKey.generate,
        "RS256": lambda: rsa.generate_private_key(65537, 3072),
    }[algorithm]()
