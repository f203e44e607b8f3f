"""Links between parties: who is let in, who is reached, and who is not."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from executors.errors import EngineFailed, TaskRefused
from executors.mpc.job import Peer
from executors.mpc.tls import TaskIdentity, check_certificate, new_identity
from executors.mpc.tunnel import Tunnel, socket_of
from executors.ports import HeldPort, hold_port
from tests.executor_parties import now_ms

ANSWER_S = 5.0


def identity(name: str) -> TaskIdentity:
    return new_identity(name, now_ms=now_ms(), deadline_ms=now_ms() + 60_000)


class Site:
    """Party 0 behind its tunnel, with something that echoes in place of its engine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.identities = [identity(f"party{rank}") for rank in range(3)]
        self.ports: list[HeldPort] = [
            hold_port("127.0.0.1", low=24_000, high=24_999) for _ in "abc"
        ]
        peers = [
            Peer(f"party{rank}", "rows", f"127.0.0.1:{port.port}", given.certificate)
            for rank, (given, port) in enumerate(zip(self.identities, self.ports, strict=True))
        ]
        self.heard: list[bytes] = []
        self._engine = socket.socket(socket.AF_UNIX)
        self._engine.bind(socket_of(0))
        self._engine.listen()
        threading.Thread(target=self._echo, daemon=True).start()
        self.tunnel = Tunnel(0, peers, peers[0].endpoint, self.identities[0].private_key)
        self.tunnel.start()

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.ports[0].port

    def close(self) -> None:
        self.tunnel.close()
        self._engine.close()
        for port in self.ports:
            port.close()

    def _echo(self) -> None:
        while True:
            try:
                link, _ = self._engine.accept()
            except OSError:
                return
            with link:
                while data := link.recv(65536):
                    self.heard.append(data)
                    link.sendall(data)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.chdir(tmp_path)
    site = Site(tmp_path)
    yield site
    site.close()


def context(
    site: Site, shown: TaskIdentity | None, *, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
) -> ssl.SSLContext:
    """A client that trusts party 0 and shows `shown`."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.load_verify_locations(cadata=site.identities[0].certificate)
    made.minimum_version = made.maximum_version = version
    if shown is not None:
        path = site.folder / "shown.pem"
        path.write_text(shown.certificate + shown.private_key, encoding="ascii")
        made.load_cert_chain(path)
    return made


@contextmanager
def call(site: Site, with_context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    with (
        socket.create_connection(site.address, timeout=ANSWER_S) as plain,
        with_context.wrap_socket(plain) as link,
    ):
        yield link


def is_refused(site: Site, with_context: ssl.SSLContext) -> bool:
    """Nothing is answered, and nothing reaches the engine."""
    try:
        with call(site, with_context) as link:
            link.sendall(b"let me in")
            answer = link.recv(100)
    except OSError:
        answer = b""
    return not answer and not site.heard


def test_a_peer_with_its_pinned_certificate_is_let_in(site: Site) -> None:
    for rank in (1, 2):
        with call(site, context(site, site.identities[rank])) as link:
            link.sendall(b"hello")
            assert link.recv(100) == b"hello"
    assert site.heard == [b"hello", b"hello"]
    assert (site.tunnel.traffic.received, site.tunnel.traffic.sent) == (10, 10)


@pytest.mark.parametrize(
    "request_bytes",
    [b"GET /flags HTTP/1.1\r\n\r\n", b"PRPC" + bytes(60), b"\x16\x03\x01" + b"x" * 99],
)
def test_bytes_without_tls_are_not_answered(site: Site, request_bytes: bytes) -> None:
    with socket.create_connection(site.address, timeout=ANSWER_S) as link:
        link.sendall(request_bytes)
        try:
            answer = link.recv(1000)
        except OSError:
            answer = b""
    assert b"HTTP" not in answer and b"PRPC" not in answer
    assert site.heard == []


def test_a_client_without_a_certificate_is_refused(site: Site) -> None:
    assert is_refused(site, context(site, None))


def test_a_certificate_that_is_not_pinned_is_refused_whatever_its_name(site: Site) -> None:
    assert is_refused(site, context(site, identity("party1")))


def test_a_party_cannot_come_in_as_itself(site: Site) -> None:
    assert is_refused(site, context(site, site.identities[0]))


def test_a_certificate_signed_by_a_peer_is_refused(site: Site) -> None:
    assert is_refused(site, context(site, issued_by(site.identities[1])))


def test_an_older_tls_is_refused(site: Site) -> None:
    older = context(site, site.identities[1], version=ssl.TLSVersion.TLSv1_2)
    assert is_refused(site, older)


def test_a_peer_is_reached_only_under_its_own_certificate(site: Site) -> None:
    """Party 2 listens where party 1 should: it is in the set of pinned ones, and yet refused."""
    heard = serve_as(site, site.identities[2])
    with socket.socket(socket.AF_UNIX) as engine:
        engine.connect(socket_of(1))
        engine.sendall(b"for party 1 alone")
        assert heard.tries.acquire(timeout=ANSWER_S)
        assert heard.tries.acquire(timeout=ANSWER_S)
    assert heard.data == []


def test_bytes_for_a_peer_reach_it(site: Site) -> None:
    heard = serve_as(site, site.identities[1])
    with socket.socket(socket.AF_UNIX) as engine:
        engine.connect(socket_of(1))
        engine.sendall(b"for party 1 alone")
        assert heard.tries.acquire(timeout=ANSWER_S)
    assert heard.data == [b"for party 1 alone"]


def test_a_port_that_is_taken_is_said(site: Site) -> None:
    tunnel = Tunnel(0, site.tunnel.peers, site.tunnel.listen, site.identities[0].private_key)
    with pytest.raises(EngineFailed, match="cannot listen"):
        tunnel.start()


class Heard:
    def __init__(self) -> None:
        self.data: list[bytes] = []
        self.tries = threading.Semaphore(0)


def serve_as(site: Site, shown: TaskIdentity) -> Heard:
    """Somebody at party 1's endpoint who holds the key of `shown`."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_verify_locations(cadata=site.identities[0].certificate)
    made.verify_mode = ssl.CERT_REQUIRED
    path = site.folder / "server.pem"
    path.write_text(shown.certificate + shown.private_key, encoding="ascii")
    made.load_cert_chain(path)
    heard = Heard()
    server = socket.create_server(("127.0.0.1", site.ports[1].port))

    def serve() -> None:
        for _ in range(2):
            plain, _ = server.accept()
            plain.settimeout(ANSWER_S)
            try:
                with made.wrap_socket(plain, server_side=True) as link:
                    if data := link.recv(100):
                        heard.data.append(data)
            except OSError:
                pass
            heard.tries.release()
        server.close()

    threading.Thread(target=serve, daemon=True).start()
    return heard


# --- certificates -----------------------------------------------------------------------------


def issued_by(issuer: TaskIdentity) -> TaskIdentity:
    """A certificate for a key of one's own, signed with a pinned party's key."""
    signer = serialization.load_pem_private_key(issuer.private_key.encode(), None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    own = x509.load_pem_x509_certificate(issuer.certificate.encode())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(own.subject)
        .issuer_name(own.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(hours=1))
        .not_valid_after(datetime.now(UTC) + timedelta(hours=1))
        .sign(signer, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    return TaskIdentity(public.decode() + issuer.certificate, private.decode())


def self_signed(*, ca: bool, curve: ec.EllipticCurve) -> str:
    key = ec.generate_private_key(curve)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "party")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime.now(UTC) - timedelta(hours=1))
        .not_valid_after(datetime.now(UTC) + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def test_our_own_certificates_are_good() -> None:
    check_certificate(identity("party").certificate)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: "", "malformed"),
        (lambda: "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "malformed"),
        (lambda: identity("a").certificate + identity("b").certificate, "besides one"),
        (lambda: "note\n" + identity("a").certificate, "besides one"),
        (lambda: identity("a").certificate + identity("a").private_key, "besides one"),
        (lambda: "x" * 5000, "exceeds"),
        (lambda: self_signed(ca=True, curve=ec.SECP256R1()), "vouch for others"),
        (lambda: self_signed(ca=False, curve=ec.SECP384R1()), "not for a P-256 key"),
    ],
)
def test_a_certificate_of_another_kind_is_refused(make: object, sentence: str) -> None:
    assert callable(make)
    with pytest.raises(TaskRefused, match=sentence):
        check_certificate(make())


def test_a_task_key_is_not_shown() -> None:
    assert "PRIVATE" not in repr(identity("party"))
