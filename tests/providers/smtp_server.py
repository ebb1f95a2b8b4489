"""Two SMTP listeners that ask for TLS and a login, and what they received, over HTTP.

smtp_server.py FOLDER STARTTLS_PORT IMPLICIT_PORT READ_PORT
FOLDER gets ca.pem. GET /messages answers all messages in the order they came.
"""

import asyncio
import datetime
import email
import email.policy
import hmac
import ipaddress
import json
import pathlib
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

USER = b"mapae"
PASSWORD = b"planted-smtp-password"

messages = []


def certificate(name, key, issuer, signing_key, extensions):
    """Signs a certificate that is valid for this day only."""
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()), False
        )
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(signing_key, hashes.SHA256())


def key_usage(*, digital_signature=False, key_cert_sign=False):
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=key_cert_sign,
        crl_sign=key_cert_sign,
        encipher_only=False,
        decipher_only=False,
    )


def tls_context(folder):
    """Makes a CA and, signed by it, the certificate of both listeners."""
    # rustls refuses a server certificate that is itself a CA, hence two.
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Mapae test CA")])
    ca = certificate(
        ca_name,
        ca_key,
        ca_name,
        ca_key,
        [
            (x509.BasicConstraints(ca=True, path_length=0), True),
            (key_usage(key_cert_sign=True), True),
        ],
    )
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = certificate(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]),
        key,
        ca_name,
        ca_key,
        [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (key_usage(digital_signature=True), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
            (
                x509.SubjectAlternativeName(
                    [
                        x509.DNSName("localhost"),
                        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
                    ]
                ),
                False,
            ),
        ],
    )
    (folder / "ca.pem").write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    # The ssl module reads a key from a file only.
    server = folder / "server.pem"
    server.write_bytes(
        leaf.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(server)
    server.unlink()
    return context


def authenticate(_server, _session, _envelope, _mechanism, data):
    right = (
        isinstance(data, LoginPassword)
        and hmac.compare_digest(data.login, USER)
        and hmac.compare_digest(data.password, PASSWORD)
    )
    # handled=False leaves the 535 to aiosmtpd.
    return AuthResult(success=right, handled=False)


def part(message, subtype):
    """The decoded text of the first such part, None when there is none."""
    found = message.get_body(preferencelist=(subtype,))
    return None if found is None else found.get_content()


class Handler:
    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        messages.append(
            {
                "from": envelope.mail_from,
                "to": envelope.rcpt_tos,
                "tls": server.transport.get_extra_info("ssl_object") is not None,
                "authenticated": bool(session.authenticated),
                "raw": envelope.content.decode("utf-8", "replace"),
                "subject": message["subject"],
                "text": part(message, "plain"),
                "html": part(message, "html"),
            }
        )
        return "250 OK"


class Reader(BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path != "/messages":
            self.send_error(404)
            return
        body = json.dumps(list(messages)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


async def main(folder, starttls_port, implicit_port, read_port):
    loop = asyncio.get_running_loop()
    context = tls_context(pathlib.Path(folder))

    def listener(**settings):
        return SMTP(
            Handler(),
            hostname="localhost",
            auth_required=True,
            authenticator=authenticate,
            loop=loop,
            **settings,
        )

    await loop.create_server(
        lambda: listener(tls_context=context, require_starttls=True),
        "127.0.0.1",
        int(starttls_port),
    )
    # Here aiosmtpd does not see the TLS below it and would refuse every login.
    await loop.create_server(
        lambda: listener(auth_require_tls=False),
        "127.0.0.1",
        int(implicit_port),
        ssl=context,
    )
    # Last, so that its answer means all three listen.
    reader = ThreadingHTTPServer(("127.0.0.1", int(read_port)), Reader)
    threading.Thread(target=reader.serve_forever, daemon=True).start()
    await asyncio.Event().wait()


asyncio.run(main(*sys.argv[1:]))
