"""TLS 1.3 with SM algorithms: what two ends agree on, and what each refuses by its reason."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL

from crypto import smtls
from crypto.errors import CertificateRefused, Reason
from crypto.smtls import TlsFault, TlsIdentity, TlsRefused, TlsSession, make_context
from tests.smtls_world import CLIENT, clock, ends, identity, shake
from tests.x509_world import DAY, Org, organization

SECRET = b"this sentence must never be seen on the wire"


@pytest.fixture(scope="module")
def org() -> Org:
    return organization(now=clock())


@pytest.fixture(scope="module")
def node(org: Org) -> TlsIdentity:
    return identity(org)


def _reason(act: Callable[[], object]) -> str:
    with pytest.raises(TlsRefused) as refused:
        act()
    assert len(str(refused.value)) > 20
    assert refused.value.code == f"tls.{refused.value.reason}"
    return refused.value.reason


# --- agreed -------------------------------------------------------------------------------------


def test_both_ends_prove_their_certificates_and_talk(org: Org, node: TlsIdentity) -> None:
    user = identity(org, CLIENT)
    server, client = ends(make_context(node, [org.root]), make_context(user, [org.root]))
    wire = shake(server, client)
    assert client.peer_certificate() == node.certificate
    assert server.peer_certificate() == user.certificate
    assert len(wire) < smtls.HANDSHAKE_BYTES_MAX // 4

    label = b"EXPORTER-shuxin-test"
    assert server.export(label, 32) == client.export(label, 32) != bytes(32)
    for sender, receiver in ((client, server), (server, client)):
        sender.send(SECRET)
        sent = sender.outgoing()
        assert SECRET not in sent
        receiver.receive(sent)
        assert receiver.read() == SECRET
        assert receiver.read() == b""


def test_suite_group_and_signature_are_the_national_ones(org: Org, node: TlsIdentity) -> None:
    context = make_context(node, [org.root])
    server, client = ends(context, context)
    client.handshake()
    sent = client.outgoing()
    # ClientHello: the only suite 0x00C6, the only group 0x0029, the only signature 0x0708.
    assert b"\x00\x02\x00\xc6" in sent
    assert b"\x00\x0a\x00\x04\x00\x02\x00\x29" in sent
    assert b"\x00\x0d\x00\x04\x00\x02\x07\x08" in sent
    server.receive(sent)
    server.handshake()
    answer = server.outgoing()
    assert b"\x00\xc6\x00" in answer[:100]


def test_a_client_without_certificate_is_served_where_none_is_asked(
    org: Org, node: TlsIdentity
) -> None:
    server, client = ends(make_context(node, [], is_mutual=False), make_context(None, [org.root]))
    shake(server, client)
    assert server.peer_certificate() is None
    assert client.peer_certificate() == node.certificate


def test_bytes_of_any_length_arrive_whole_and_in_any_pieces(org: Org, node: TlsIdentity) -> None:
    context = make_context(node, [org.root])
    server, client = ends(context, context)
    shake(server, client)
    for size in (0, 1, smtls.RECORD_BYTES_MAX, smtls.RECORD_BYTES_MAX + 1, 1_000_000):
        message = bytes(range(256)) * (size // 256 + 1)
        client.send(memoryview(message)[:size])
        sent, found = client.outgoing(), b""
        for at in range(0, len(sent), 4099):
            server.receive(sent[at : at + 4099])
            found += server.read()
        assert found == message[:size]


def test_plaintext_right_behind_the_handshake_is_not_counted_as_handshake(
    org: Org, node: TlsIdentity
) -> None:
    context = make_context(node, [org.root])
    server, client = ends(context, context)
    client.handshake()
    server.receive(client.outgoing())
    server.handshake()
    client.receive(server.outgoing())
    assert client.handshake()
    client.send(SECRET * 2000)
    server.receive(client.outgoing())
    assert server.handshake()
    assert server.read() == SECRET * 2000


def test_sessions_are_never_resumed(org: Org, node: TlsIdentity) -> None:
    context = make_context(node, [org.root])
    server, client = ends(context, context)
    shake(server, client)
    # A ticket would be the first thing after the handshake.
    assert server.outgoing() == b""


# --- refused: certificates ----------------------------------------------------------------------


def test_each_bad_certificate_is_refused_by_its_reason_at_either_end(
    org: Org, node: TlsIdentity
) -> None:
    impostor = organization(now=clock())
    good = make_context(node, [org.root])
    for bad, reason in (
        (identity(impostor), Reason.FOREIGN),
        (identity(org, now=clock() - 30 * DAY, days=29), Reason.EXPIRED),
        (identity(org, now=clock() + DAY), Reason.EARLY),
    ):
        context = make_context(bad, [org.root])
        assert _reason(functools.partial(shake, *ends(good, context))) == reason
        assert _reason(functools.partial(shake, *ends(context, good))) == reason


def test_a_client_judges_the_server_whether_or_not_it_would_ask_clients(org: Org) -> None:
    impostor = make_context(identity(organization(now=clock())), [], is_mutual=False)
    trusting = make_context(None, [org.root], is_mutual=False)
    assert _reason(functools.partial(shake, *ends(impostor, trusting))) == Reason.FOREIGN


def test_the_refused_end_is_told_by_an_alert(org: Org, node: TlsIdentity) -> None:
    impostor = identity(organization(now=clock()))
    server, client = ends(make_context(node, [org.root]), make_context(impostor, [org.root]))
    assert _reason(lambda: shake(server, client)) == Reason.FOREIGN
    client.receive(server.outgoing())
    assert client.handshake()  # it was done before it was judged
    assert _reason(client.read) == TlsFault.ALERT


def test_a_client_that_shows_nothing_is_refused_where_a_certificate_is_asked(
    org: Org, node: TlsIdentity
) -> None:
    server, client = ends(make_context(node, [org.root]), make_context(None, [org.root]))
    assert _reason(lambda: shake(server, client)) == TlsFault.NO_CERTIFICATE


def test_an_identity_whose_key_is_another_one_is_refused_and_never_shown(
    org: Org, node: TlsIdentity
) -> None:
    other = identity(org)
    with pytest.raises(CertificateRefused) as refused:
        TlsIdentity(node.certificate, other.private)
    assert refused.value.reason is Reason.KEY
    assert repr(other.private) not in repr(other)


# --- refused: bytes -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said",
    [
        b"GET / HTTP/1.1\r\nHost: node\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x13/multistream/1.0.0\n",
        b"\x00" * 64,
        b"\xff" * 64,
        b"\x16\x03\x01\xff\xff" + b"a" * 64,
    ],
)
def test_what_is_no_tls_is_called_garbage(org: Org, node: TlsIdentity, said: bytes) -> None:
    server = TlsSession(make_context(node, [org.root]), is_server=True)
    server.receive(said)
    assert _reason(server.handshake) == TlsFault.GARBAGE


@given(st.binary(max_size=400), st.integers(0, 300))
@settings(max_examples=200)
def test_any_bytes_are_a_handshake_or_refused_and_never_another_error(data: bytes, at: int) -> None:
    context = _shared_context()
    hello = TlsSession(context, is_server=False)
    hello.handshake()
    sent = hello.outgoing()
    for said in (data, sent[:at] + data, sent[:at] + data + sent[at + len(data) :]):
        server = TlsSession(context, is_server=True)
        server.receive(said)
        try:
            assert not server.handshake()
        except TlsRefused:
            server.outgoing()
        answered = TlsSession(context, is_server=False)
        answered.handshake()
        answered.receive(said)
        try:
            assert not answered.handshake()
        except TlsRefused:
            answered.outgoing()


def test_a_bit_flipped_anywhere_in_a_record_is_found(org: Org, node: TlsIdentity) -> None:
    context = make_context(node, [org.root])
    reasons = set()
    for at in (0, 1, 3, 5, 20, -1):
        server, client = ends(context, context)
        shake(server, client)
        client.send(SECRET)
        sent = bytearray(client.outgoing())
        sent[at] ^= 1
        server.receive(bytes(sent))
        try:
            assert server.read() == b""
        except TlsRefused as refused:
            reasons.add(refused.reason)
        else:
            # A length made greater waits for bytes that belong to the next record.
            assert at == 3
            client.send(SECRET * 20)
            server.receive(client.outgoing())
            assert _reason(server.read) == TlsFault.TAMPERED
    assert TlsFault.TAMPERED in reasons


def test_a_bit_flipped_in_the_handshake_ends_it(org: Org, node: TlsIdentity) -> None:
    context = make_context(node, [org.root])
    for at in (60, 120, 200, 600, 1200, -1):
        server, client = ends(context, context)
        client.handshake()
        server.receive(client.outgoing())
        server.handshake()
        sent = bytearray(server.outgoing())
        sent[at] ^= 1
        client.receive(bytes(sent))
        with pytest.raises(TlsRefused):
            client.handshake()
        assert client.outgoing()[:1] == b"\x15"  # an alert


def test_a_handshake_without_end_is_cut(org: Org, node: TlsIdentity) -> None:
    server = TlsSession(make_context(node, [org.root]), is_server=True)
    # One handshake message of 64 KiB in many records: each is right, the whole is not.
    server.receive(b"\x16\x03\x01\x00\x08" + b"\x01\x00\xff\xf0" + b"\x03\x03" + bytes(2))
    with pytest.raises(TlsRefused) as refused:
        for _ in range(100):
            server.handshake()
            server.receive(b"\x16\x03\x01\x01\x00" + bytes(256))
    assert refused.value.reason is TlsFault.OVERSIZED


def test_an_end_that_nobody_announced_is_truncation(org: Org, node: TlsIdentity) -> None:
    context = make_context(node, [org.root])
    server, client = ends(context, context)
    shake(server, client)
    client.send(SECRET)
    server.receive(client.outgoing())
    assert server.read() == SECRET and not server.has_ended
    assert _reason(server.end_of_bytes) == TlsFault.TRUNCATED
    client.close()
    server.receive(client.outgoing())
    assert server.read() == b"" and server.has_ended
    server.end_of_bytes()


def test_a_key_that_sealed_enough_seals_no_more(
    org: Org, node: TlsIdentity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtls, "RECORDS_MAX", 3)
    context = make_context(node, [org.root])
    server, client = ends(context, context)
    shake(server, client)
    client.send(bytes(3 * smtls.RECORD_BYTES_MAX))
    assert _reason(lambda: client.send(b"x")) == TlsFault.WORN
    server.receive(client.outgoing())
    assert len(server.read()) == 3 * smtls.RECORD_BYTES_MAX


# --- refused: other TLS -------------------------------------------------------------------------


def _foreign(version: int, ciphers: bytes = b"", tls13: bytes = b"") -> SSL.Connection:
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(version)
    context.set_max_proto_version(version)
    if ciphers:
        context.set_cipher_list(ciphers)
    if tls13:
        context.set_tls13_ciphersuites(tls13)
    connection = SSL.Connection(context, None)
    connection.set_connect_state()
    with pytest.raises(SSL.WantReadError):
        connection.do_handshake()
    return connection


def test_other_versions_and_suites_find_nothing_in_common(org: Org, node: TlsIdentity) -> None:
    for foreign in (
        _foreign(SSL.TLS1_2_VERSION, ciphers=b"ECDHE+AESGCM"),
        _foreign(SSL.TLS1_3_VERSION, tls13=b"TLS_AES_256_GCM_SHA384"),
    ):
        server = TlsSession(make_context(node, [org.root]), is_server=True)
        server.receive(foreign.bio_read(65536))
        assert _reason(server.handshake) == TlsFault.PROTOCOL
        assert server.outgoing()[:1] == b"\x15"


def test_a_session_outlives_errors_that_others_leave_in_openssl(
    org: Org, node: TlsIdentity
) -> None:
    context = make_context(node, [org.root])
    server, client = ends(context, context)
    shake(server, client)
    with pytest.raises(ValueError):
        serialization.load_der_private_key(b"nonsense", None)
    with pytest.raises(TlsRefused):
        broken = TlsSession(context, is_server=True)
        broken.receive(b"nonsense")
        broken.handshake()
    client.send(SECRET)
    server.receive(client.outgoing())
    assert server.read() == SECRET


@functools.cache
def _shared_context() -> smtls.SmContext:
    made = organization(now=clock())
    return make_context(identity(made), [made.root])
