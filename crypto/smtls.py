"""TLS 1.3 with SM2, SM3 and SM4 (RFC 8998), between bytes and bytes: no socket, no clock, no loop.

One suite, one group, one signature algorithm; nothing is negotiated, so nothing can be negotiated
down. The OpenSSL in `cryptography` does the work over memory; who carries the bytes is the links
between nodes (p2p) and the gateway. Handshakes prove the chain and the time of a certificate. Which
role, organization or peer it must be of, and whether it was revoked, its receiver judges with
`crypto.x509.verify` before it believes a byte.

Sessions are never resumed: a resumed one skips the certificate, and with it every revocation.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from cryptography import x509
from OpenSSL import SSL, crypto
from OpenSSL._util import lib

from crypto import sm2
from crypto.errors import CertificateRefused, CryptoError, LibcryptoMissing, Reason
from crypto.keys import private_key_info
from crypto.x509.read import Certificate, read_certificate
from crypto.x509.verify import reason_of

SUITE = "TLS_SM4_GCM_SM3"
GROUP = "curveSM2"
SIGNATURE = "sm2sig_sm3"

# What a record holds at most (RFC 8446, 5.1), and what it has around it on the wire.
RECORD_BYTES_MAX = 16 * 1024
# SM4-GCM keeps its promise for 2^24.5 full records under one key (RFC 8446, 5.5; RFC 8998 leaves it
# so). We end a session before: at 16 KiB a record this is 256 GiB, and a new handshake costs 10 ms.
RECORDS_MAX = 2**24
# Ours take 2 KiB from each side with one certificate each; the rest is for other makes of TLS.
HANDSHAKE_BYTES_MAX = 16 * 1024
# What leaves at once: several records, so that a large message costs few system calls.
_OUTGOING_BYTES = 256 * 1024

_ROOT_DEPTH = 1  # a leaf and its root: our organizations have no authorities between

T = TypeVar("T")


class TlsFault(StrEnum):
    """Why a session ends that no certificate is to blame for: stable, for programs and counters."""

    GARBAGE = "garbage"  # no TLS, or none of ours
    PROTOCOL = "protocol"  # no TLS 1.3 with the SM suite, or against its rules
    NO_CERTIFICATE = "no_certificate"
    ALERT = "alert"  # the other side refuses us
    TAMPERED = "tampered"  # a record is not what its sender sealed
    TRUNCATED = "truncated"  # the bytes end before the session said so
    OVERSIZED = "oversized"  # a handshake longer than any of ours
    WORN = "worn"  # this key has sealed as much as it may


class TlsRefused(CryptoError):
    """A session does not come to be, or ends: `reason` says why for programs and counters.

    What `TlsSession.outgoing` gives after it is the alert that tells the other side.
    """

    def __init__(self, reason: TlsFault | Reason, text: str) -> None:
        super().__init__(text)
        self.reason = reason

    @property
    def code(self) -> str:
        return f"tls.{self.reason}"


@dataclass(frozen=True, slots=True)
class TlsIdentity:
    """What one shows, and the key that proves it. Raises CertificateRefused if they do not fit."""

    certificate: Certificate
    private: bytes = field(repr=False)  # 32 bytes

    def __post_init__(self) -> None:
        if sm2.public_key(self.private) != self.certificate.public_key:
            raise CertificateRefused(
                Reason.KEY,
                f"the certificate of {self.certificate.subject} is not for this key; name the key "
                "that its request was made with",
            )


class SmContext:
    """What many sessions share: identity and roots. Never changed; made anew to renew either."""

    __slots__ = ("_context", "identity")

    def __init__(self, context: SSL.Context, identity: TlsIdentity | None) -> None:
        self._context = context
        self.identity = identity

    def connect(self, *, is_server: bool) -> SSL.Connection:
        """OpenSSL's end of a new session over memory."""
        connection = SSL.Connection(self._context, None)
        if is_server:
            connection.set_accept_state()
        else:
            connection.set_verify(SSL.VERIFY_PEER)  # whatever it would ask of clients as a server
            connection.set_connect_state()
        return connection


def make_context(
    identity: TlsIdentity | None, roots: Sequence[Certificate], *, is_mutual: bool = True
) -> SmContext:
    """A context for either end. A client without certificate has no `identity`.

    A client always asks for the server's certificate; a server asks for the client's, and
    insists on it, where it `is_mutual`. Raises LibcryptoMissing where OpenSSL lacks RFC 8998.
    """
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    context.set_max_proto_version(SSL.TLS1_3_VERSION)
    _pin_algorithms(context)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
    context.set_mode(lib.SSL_MODE_RELEASE_BUFFERS)
    store = context.get_cert_store()
    assert store is not None
    for root in roots:
        store.add_cert(_loaded(root))
    store.set_flags(crypto.X509StoreFlags.X509_STRICT | crypto.X509StoreFlags.CHECK_SS_SIGNATURE)
    context.set_verify_depth(_ROOT_DEPTH)
    if is_mutual:
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)
    if identity is not None:
        _show(context, identity)
    return SmContext(context, identity)


class TlsSession:
    """One session: bytes of the wire on one side, plaintext on the other. Of one thread at a time.

    The owner carries `outgoing` to the wire after every call, also after one that raised.
    """

    def __init__(self, context: SmContext, *, is_server: bool) -> None:
        self._ssl = context.connect(is_server=is_server)
        self._is_server = is_server
        self._is_ready = False
        self._has_ended = False
        self._received = 0
        self._sealed_records = 0

    @property
    def has_ended(self) -> bool:
        """Has the other side said that it sends nothing more?

        Where the bytes end without that, somebody may have cut them off: see `end_of_bytes`.
        """
        return self._has_ended

    @property
    def sealed_records(self) -> int:
        """How many of the RECORDS_MAX that one key may seal are used."""
        return self._sealed_records

    def receive(self, data: bytes | memoryview) -> None:
        """Bytes from the wire. Whoever calls bounds them: they are kept until they are read."""
        if data:
            self._received += len(data)
            self._ssl.bio_write(data)

    def end_of_bytes(self) -> None:
        """The wire ended; raises TlsRefused unless the other side had said so."""
        if not self._has_ended:
            raise TlsRefused(
                TlsFault.TRUNCATED, "the connection ended before its session: cut off, or killed"
            )

    def outgoing(self) -> bytes:
        """What to put on the wire now; empty if nothing."""
        found = []
        while True:
            try:
                found.append(self._ssl.bio_read(_OUTGOING_BYTES))
            except SSL.WantReadError:
                return found[0] if len(found) == 1 else b"".join(found)

    def handshake(self) -> bool:
        """Goes as far as the bytes allow; True when it is done. Raises TlsRefused by its reason.

        A client is done before the server has judged the client's certificate: it knows that it
        is welcome only when it reads the server's first answer.
        """
        if not self._is_ready:
            try:
                self._do(self._ssl.do_handshake)
            except SSL.WantReadError:
                # Counted here: behind the last bytes of a handshake may come any number of others.
                if self._received > HANDSHAKE_BYTES_MAX:
                    raise TlsRefused(
                        TlsFault.OVERSIZED,
                        f"a handshake of more than {HANDSHAKE_BYTES_MAX} bytes is none of ours",
                    ) from None
                return False
            self._is_ready = True
        return True

    def send(self, data: bytes | memoryview) -> None:
        """Seals plaintext into `outgoing`. Raises TlsRefused when the key has sealed enough."""
        assert self._is_ready, "the handshake comes first"
        view = memoryview(data)
        while view:
            if self._sealed_records >= RECORDS_MAX:
                raise TlsRefused(
                    TlsFault.WORN,
                    f"{RECORDS_MAX} records were sealed with one key; connect anew",
                )
            sent = self._do(functools.partial(self._ssl.send, view[:RECORD_BYTES_MAX]))
            self._sealed_records += 1
            view = view[sent:]

    def read(self) -> bytes:
        """All plaintext that has come; empty if none. Raises TlsRefused, and nothing after it."""
        assert self._is_ready, "the handshake comes first"
        found = []
        try:
            while True:
                found.append(self._do(functools.partial(self._ssl.recv, RECORD_BYTES_MAX)))
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self._has_ended = True
        return found[0] if len(found) == 1 else b"".join(found)

    def peer_certificate(self) -> Certificate | None:
        """What the other side showed and proved; None where nothing was asked of it.

        Its chain and time are good. Raises TlsRefused where it is not of our profile.
        """
        found = self._ssl.get_peer_certificate()
        if found is None:
            return None
        try:
            return read_certificate(crypto.dump_certificate(crypto.FILETYPE_ASN1, found))
        except CertificateRefused as error:
            raise TlsRefused(error.reason, str(error)) from None

    def export(self, label: bytes, size: int) -> bytes:
        """Bytes that only the two ends of this session know (RFC 8446, 7.5), to bind to it."""
        assert self._is_ready, "the handshake comes first"
        return self._ssl.export_keying_material(label, size)

    def close(self) -> None:
        """Says in `outgoing` that nothing more comes."""
        if self._is_ready:
            lib.ERR_clear_error()
            try:
                self._ssl.shutdown()
            except SSL.Error:
                lib.ERR_clear_error()  # the session had failed before: it has said so

    def _do(self, act: Callable[[], T]) -> T:
        # What another call of this thread left in OpenSSL's queue would be taken for this one's.
        lib.ERR_clear_error()
        try:
            return act()
        except (SSL.WantReadError, SSL.ZeroReturnError):
            raise
        except SSL.Error as error:
            raise self._refused(error) from None
        finally:
            lib.ERR_clear_error()

    def _refused(self, error: SSL.Error) -> TlsRefused:
        said = _said(error)
        if "certificate verify failed" in said:
            reason = reason_of(lib.SSL_get_verify_result(self._ssl._ssl))
            whose = "client" if self._is_server else "server"
            return TlsRefused(reason, f"the certificate of the {whose} is refused: {reason.value}")
        for part, fault, text in _SAID:
            if part in said:
                return TlsRefused(fault, f"{text} ({said})")
        return TlsRefused(TlsFault.PROTOCOL, f"the other side breaks the rules of TLS ({said})")


# What OpenSSL says, in its words; the first that fits.
_SAID = (
    ("alert", TlsFault.ALERT, "the other side refuses this session"),
    ("did not return a certificate", TlsFault.NO_CERTIFICATE, "a certificate is asked for here"),
    ("bad record mac", TlsFault.TAMPERED, "a record was altered on the way"),
    ("wrong version number", TlsFault.GARBAGE, "this is no TLS"),
    ("http request", TlsFault.GARBAGE, "this is no TLS"),
    ("packet length too long", TlsFault.GARBAGE, "this is no TLS"),
    ("record layer failure", TlsFault.GARBAGE, "this is no TLS"),
    ("no shared", TlsFault.PROTOCOL, f"only {SUITE} with {GROUP} and {SIGNATURE} is spoken here"),
    ("no suitable", TlsFault.PROTOCOL, f"only {SUITE} with {GROUP} and {SIGNATURE} is spoken here"),
    ("unsupported protocol", TlsFault.PROTOCOL, "only TLS 1.3 is spoken here"),
)


def _said(error: SSL.Error) -> str:
    """The reasons in OpenSSL's queue: constant texts of the library, nothing that a peer wrote."""
    parts = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return "; ".join(str(part[-1]) for part in parts)[:200] or type(error).__name__


def _pin_algorithms(context: SSL.Context) -> None:
    # pyOpenSSL names no way to set group and signature algorithm: its binding is asked directly.
    own = context._context
    try:
        context.set_tls13_ciphersuites(SUITE.encode())
        is_pinned = (
            lib.SSL_CTX_set1_curves_list(own, GROUP.encode()) == 1
            and lib.SSL_CTX_set1_sigalgs_list(own, SIGNATURE.encode()) == 1
        )
    except SSL.Error:
        is_pinned = False
    if not is_pinned:
        lib.ERR_clear_error()
        raise LibcryptoMissing(
            f"the OpenSSL in `cryptography` lacks {SUITE}, {GROUP} or {SIGNATURE} (RFC 8998); "
            "install cryptography 50 or later from its wheel"
        )


def _show(context: SSL.Context, identity: TlsIdentity) -> None:
    context.use_certificate(x509.load_der_x509_certificate(identity.certificate.der))
    key = crypto.load_privatekey(crypto.FILETYPE_ASN1, private_key_info(identity.private))
    # `cryptography` has no SM2 keys to hand over, and pyOpenSSL warns of its own.
    own = context._context
    fits = lib.SSL_CTX_use_PrivateKey(own, key._pkey) == 1
    lib.ERR_clear_error()
    assert fits, "TlsIdentity has compared the keys"


def _loaded(certificate: Certificate) -> crypto.X509:
    return crypto.X509.from_cryptography(x509.load_der_x509_certificate(certificate.der))
