"""libp2p's security transport over TLS with SM2, SM3 and SM4: handshake, judgement, renewal."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeAlias

from libp2p.abc import IRawConnection, ISecureConn
from libp2p.connection_types import ConnectionType
from libp2p.crypto.keys import KeyPair
from libp2p.custom_types import TProtocol
from libp2p.io.exceptions import ConnectionClosedError
from libp2p.peer.id import ID
from libp2p.security.base_session import BaseSession
from multiaddr import Multiaddr

from crypto.errors import CertificateRefused, Reason
from crypto.smtls import RECORDS_MAX, TlsIdentity, TlsSession, make_context
from crypto.x509.read import Certificate
from p2p.errors import PeerRefused, Refusal
from p2p.identity import parse_peer_id
from p2p.security import IsAllowed, NotAllowed, Security, SecurityFactory
from p2p.tls.binding import (
    EXPORT_LABEL,
    EXPORT_SIZE,
    PROOF_SIZE,
    check_proof,
    prove,
    statement,
)
from p2p.tls.policy import TransportPolicy
from p2p.tls.stream import TlsStream, expect

PROTOCOL = TProtocol("/shuxin/tls-sm/1.0.0")

# A link is made anew before its keys have sealed what they may.
_WORN_RECORDS = RECORDS_MAX * 3 // 4

Clock: TypeAlias = Callable[[], datetime]


def utc_now() -> datetime:
    """The machine's clock. OpenSSL reads the same one in the handshake."""
    return datetime.now(UTC)


def sm_tls(
    identity: TlsIdentity, policy: TransportPolicy, *, now: Clock = utc_now
) -> SecurityFactory:
    """The security of a node that shows `identity` and begins with `policy`.

    What it makes raises CertificateRefused for a certificate of another network key.
    """

    def make(key_pair: KeyPair, is_allowed: IsAllowed) -> Security:
        return SmTls(key_pair, is_allowed, identity=identity, policy=policy, now=now)

    return make


class TlsConnection(BaseSession):
    """A session with a judged peer, as libp2p's multiplexers use it."""

    def __init__(
        self,
        raw: IRawConnection,
        stream: TlsStream,
        certificate: Certificate,
        *,
        own: Certificate,
        key_pair: KeyPair,
        peer: ID,
    ) -> None:
        public_key = peer.extract_public_key()
        assert public_key is not None, "Ed25519 peer ids hold their key"
        super().__init__(
            local_peer=ID.from_pubkey(key_pair.public_key),
            local_private_key=key_pair.private_key,
            remote_peer=peer,
            remote_permanent_pubkey=public_key,
            is_initiator=raw.is_initiator,
        )
        self._raw = raw
        self.stream = stream
        self.certificate = certificate
        self.own = own  # what the peer was shown

    async def read(self, n: int | None = None) -> bytes:
        return await self.stream.read(n)

    async def write(self, data: bytes) -> None:
        await self.stream.write(data)

    async def close(self) -> None:
        await self.stream.close()

    def get_remote_address(self) -> tuple[str, int] | None:
        return self._raw.get_remote_address()

    def get_transport_addresses(self) -> list[Multiaddr]:
        return self._raw.get_transport_addresses()

    def get_connection_type(self) -> ConnectionType:
        return self._raw.get_connection_type()


class SmTls(Security):
    """The node's only security protocol; see the package for what it demands."""

    protocol = PROTOCOL

    def __init__(
        self,
        key_pair: KeyPair,
        is_allowed: IsAllowed,
        *,
        identity: TlsIdentity,
        policy: TransportPolicy,
        now: Clock,
    ) -> None:
        self._key_pair = key_pair
        self._is_allowed = is_allowed
        self._policy = policy
        self._now = now
        self.renew(identity)

    def set_policy(self, policy: TransportPolicy) -> None:
        """New handshakes meet it at once, also those that have begun."""
        roots_before, self._policy = self._policy.roots, policy
        if roots_before != policy.roots:
            self._context = make_context(self._identity, policy.roots)

    def renew(self, identity: TlsIdentity) -> None:
        """New handshakes show it. Raises CertificateRefused and changes nothing."""
        own = str(ID.from_pubkey(self._key_pair.public_key))
        if identity.certificate.subject.peer_id != own:
            raise CertificateRefused(
                Reason.PEER,
                f"the certificate is of {identity.certificate.subject}, and not for the network "
                f"key of this node; have one issued with the peer id {own}",
            )
        self._identity = identity
        self._context = make_context(identity, self._policy.roots)

    def recheck(self, connection: ISecureConn) -> None:
        """Raises PeerRefused if this peer would not be let in now."""
        assert isinstance(connection, TlsConnection)
        self._judge(connection.certificate, str(connection.get_remote_peer()))

    def fault(self, connection: ISecureConn) -> str:
        assert isinstance(connection, TlsConnection)
        return connection.stream.fault

    def certificate(self, connection: ISecureConn) -> Certificate | None:
        assert isinstance(connection, TlsConnection)
        return connection.certificate

    def is_worn(self, connection: ISecureConn) -> bool:
        assert isinstance(connection, TlsConnection)
        # A renewal may also come while a handshake is under way, which then ends as it began.
        is_renewed = connection.own != self._identity.certificate
        return is_renewed or connection.stream.sealed_records > _WORN_RECORDS

    async def secure_inbound(self, conn: IRawConnection) -> ISecureConn:
        return await self._secure(conn, None)

    async def secure_outbound(self, conn: IRawConnection, peer_id: ID) -> ISecureConn:
        return await self._secure(conn, peer_id)

    async def _secure(self, raw: IRawConnection, dialed: ID | None) -> ISecureConn:
        stream = TlsStream(raw, TlsSession(self._context, is_server=dialed is None))
        own = self._identity.certificate
        try:
            return await self._met(raw, stream, own, dialed)
        except ConnectionClosedError:
            await stream.abort()
            raise PeerRefused(
                Refusal.LEFT, "the other side closed before the handshake was done"
            ) from None
        except PeerRefused:
            await stream.close()
            raise
        except BaseException:
            await stream.abort()
            raise

    async def _met(
        self, raw: IRawConnection, stream: TlsStream, own: Certificate, dialed: ID | None
    ) -> ISecureConn:
        theirs = await stream.handshake()
        peer_id = self._judge(theirs, "" if dialed is None else str(dialed))
        exported = stream.export(EXPORT_LABEL, EXPORT_SIZE)
        is_dialer = dialed is not None
        ours_stated = statement(exported, prover=own, verifier=theirs, by_dialer=is_dialer)
        theirs_stated = statement(exported, prover=theirs, verifier=own, by_dialer=not is_dialer)
        proof = prove(self._key_pair.private_key, ours_stated)
        if is_dialer:
            await stream.write(proof)
        check_proof(peer_id, await expect(stream, PROOF_SIZE), theirs_stated)
        # While it was awaited the chain may have gone on.
        self._judge(theirs, peer_id)
        if not is_dialer:  # a client of TLS 1.3 is done before it was judged: this is its welcome
            await stream.write(proof)
        return TlsConnection(
            raw, stream, theirs, own=own, key_pair=self._key_pair, peer=parse_peer_id(peer_id)
        )

    def _judge(self, certificate: Certificate, dialed: str) -> str:
        peer_id = self._policy.judge(certificate, self._now(), dialed=dialed)
        if not self._is_allowed(peer_id):
            raise NotAllowed(peer_id)
        return peer_id
