"""Handshakes over real sockets: each refusal by its name, policy and renewal of living links."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
import trio
from libp2p.abc import ISecureConn
from libp2p.crypto.keys import KeyPair
from libp2p.custom_types import TProtocol
from libp2p.peer.id import ID
from libp2p.protocol_muxer.multiselect_client import MultiselectClient
from libp2p.protocol_muxer.multiselect_communicator import MultiselectCommunicator
from structlog.testing import capture_logs

from crypto.errors import CertificateRefused, Reason
from crypto.smtls import TlsFault, TlsIdentity, TlsSession, make_context
from crypto.x509.profile import Role
from p2p.address import parse_address
from p2p.connect import TcpConnection
from p2p.errors import ConnectFailed, Refusal
from p2p.identity import key_pair_of, peer_id_of
from p2p.limits import KIB, Channel, NetworkLimits
from p2p.network import Network, PeerAddress
from p2p.security import IsAllowed, Security, SecurityFactory
from p2p.tls.binding import EXPORT_LABEL, EXPORT_SIZE, PROOF_SIZE, prove, statement
from p2p.tls.policy import TransportPolicy
from p2p.tls.stream import TlsStream
from p2p.tls.transport import PROTOCOL, SmTls, sm_tls, utc_now
from tests.e2e.p2p_world import (
    ANY_PORT,
    QUICK,
    SEEDS,
    all_linked,
    connector_of,
    introduce,
    linked,
    node,
    org,
    policy,
    receive,
    running,
    subject,
    tls_identity,
    until,
    warnings_of,
)
from tests.smtls_world import clock, identity
from tests.x509_world import DAY, organization

DIALER, VICTIM = SEEDS[0], SEEDS[1]


def victim_of(chosen: TransportPolicy | None = None) -> Network:
    """A node that has DIALER on its allow-list."""
    security = sm_tls(tls_identity(VICTIM), chosen or policy())
    victim = node(1, security=security)
    victim.update_allow_list({"p": PeerAddress(peer_id_of(DIALER), ANY_PORT)})
    return victim


async def refusal_of(victim: Network, security: SecurityFactory) -> tuple[str, str]:
    """Why the victim refuses one who dials it with `security`, and what the dialer is told."""
    async with running(victim):
        with capture_logs() as logs:
            with pytest.raises(ConnectFailed) as failed:
                await connector_of(DIALER, security=security).dial(
                    parse_address(victim.listen_address), ID.from_base58(victim.peer_id)
                )
            await until(lambda: victim.counters.refused == 1)
        assert len(warnings_of(logs)) == 1
    assert victim.counters.links == 0
    (reason,) = victim.counters.refusals
    return reason, failed.value.reason


def showing(shown: TlsIdentity, *roots: object) -> SecurityFactory:
    trusting = replace(policy(), roots=(*policy().roots, *roots))  # type: ignore[arg-type]
    return sm_tls(shown, trusting)


async def test_a_certificate_of_a_foreign_authority_is_refused() -> None:
    foreign = organization("org1", now=clock())
    shown = identity(foreign, subject(DIALER))
    assert await refusal_of(victim_of(), showing(shown)) == (Reason.FOREIGN, TlsFault.ALERT)


async def test_an_expired_certificate_is_refused() -> None:
    shown = identity(org(), subject(DIALER), now=clock() - 3 * DAY, days=2)
    assert await refusal_of(victim_of(), showing(shown)) == (Reason.EXPIRED, TlsFault.ALERT)


async def test_a_certificate_before_its_time_is_refused() -> None:
    shown = identity(org(), subject(DIALER), now=clock() + DAY)
    assert await refusal_of(victim_of(), showing(shown)) == (Reason.EARLY, TlsFault.ALERT)


async def test_a_certificate_that_the_chain_knows_as_revoked_is_refused() -> None:
    shown = tls_identity(DIALER)
    gone = frozenset({("org1", shown.certificate.serial)})
    victim = victim_of(replace(policy(), revoked=gone))
    assert await refusal_of(victim, showing(shown)) == (Reason.REVOKED, Refusal.LEFT)


async def test_a_node_of_another_organization_than_the_chain_has_for_it_is_refused() -> None:
    other = organization("org2", now=clock())
    shown = identity(other, replace(subject(DIALER), organization="org2"))
    victim = victim_of(replace(policy(), roots=(org().root, other.root)))
    assert await refusal_of(victim, showing(shown)) == (Reason.ORGANIZATION, Refusal.LEFT)


async def test_a_peer_that_no_organization_has_on_chain_is_refused() -> None:
    victim = victim_of(replace(policy(), organizations={}))
    assert await refusal_of(victim, showing(tls_identity(DIALER))) == (
        Refusal.STRANGER,
        Refusal.LEFT,
    )


async def test_a_dialer_refuses_a_server_that_is_revoked() -> None:
    shown = tls_identity(VICTIM)
    dialing = sm_tls(
        tls_identity(DIALER),
        replace(policy(), revoked=frozenset({("org1", shown.certificate.serial)})),
    )
    assert await refusal_of(victim_of(), dialing) == (Refusal.LEFT, Reason.REVOKED)


def test_a_certificate_for_another_network_key_is_not_shown() -> None:
    with pytest.raises(CertificateRefused) as refused:
        node(2, security=sm_tls(tls_identity(DIALER), policy()))
    assert refused.value.reason is Reason.PEER


# --- whoever speaks TLS well, and lies after it ------------------------------------------------


async def lie(victim: Network, shown: TlsIdentity, proof: bytes | None) -> bytes:
    """Shakes hands with a good certificate, then sends `proof` (None: a good one)."""
    address = parse_address(victim.listen_address)
    raw = TcpConnection(await trio.open_tcp_stream(address.host, address.port), is_initiator=True)
    client = MultiselectClient()
    communicator = MultiselectCommunicator(raw)
    await client.handshake(communicator)
    await client.try_select(communicator, TProtocol(PROTOCOL))
    stream = TlsStream(raw, TlsSession(make_context(shown, policy().roots), is_server=False))
    theirs = await stream.handshake()
    exported = stream.export(EXPORT_LABEL, EXPORT_SIZE)
    stated = statement(exported, prover=shown.certificate, verifier=theirs, by_dialer=True)
    good = prove(key_pair_of(DIALER).private_key, stated)
    await stream.write(good if proof is None else proof)
    try:
        return await stream.read(PROOF_SIZE)
    finally:
        await stream.abort()


async def test_whoever_proves_the_network_key_is_answered_with_a_proof() -> None:
    victim = victim_of()
    async with running(victim):
        assert len(await lie(victim, tls_identity(DIALER), None)) == PROOF_SIZE


async def test_a_certificate_without_the_network_key_of_its_peer_is_refused() -> None:
    victim = victim_of()
    async with running(victim):
        other = prove(key_pair_of(SEEDS[2]).private_key, b"something else")
        for proof in (other, bytes(PROOF_SIZE)):
            with pytest.raises(Exception, match="tls"):
                await lie(victim, tls_identity(DIALER), proof)
        await until(lambda: victim.counters.refused == 2)
        assert victim.counters.refusals == {Refusal.UNPROVEN: 2}


async def test_a_user_is_no_node() -> None:
    victim = victim_of()
    shown = identity(org(), replace(subject(DIALER), role=Role.USER, peer_id=""))
    async with running(victim):
        with pytest.raises(Exception, match=r"tls|tcp"):
            await lie(victim, shown, None)
        await until(lambda: victim.counters.refusals == {Reason.ROLE: 1})


# --- living links ------------------------------------------------------------------------------


async def test_a_revoked_peer_is_cut_off_at_once_and_cannot_return() -> None:
    networks = [node(number) for number in range(3)]
    bad, *others = networks
    async with running(*networks):
        introduce(*networks)
        await all_linked(*networks)
        serial = tls_identity(SEEDS[0]).certificate.serial
        after = replace(policy(), revoked=frozenset({("org1", serial)}))
        with capture_logs() as logs:
            for other in others:
                other.set_policy(after)
            await linked(others[0], others[1])
            await linked(others[1], others[0])
            await until(lambda: all(other.counters.refused > 1 for other in others))
        for other in others:
            assert other.counters.cut == {Reason.REVOKED: 1}
            assert set(other.counters.refusals) == {Reason.REVOKED}
            assert other.counters.links == 2
        assert all("revoked" in entry["reason"] for entry in warnings_of(logs))
        assert bad.connected() == frozenset()


async def test_an_organization_that_leaves_is_cut_off_and_its_return_links_again() -> None:
    one, two = node(0), node(1)
    async with running(one, two):
        introduce(one, two)
        await all_linked(one, two)
        two.set_policy(replace(policy(), roots=()))
        await linked(two)
        assert two.counters.cut == {Reason.FOREIGN: 1}
        await until(lambda: two.counters.refusals[Reason.FOREIGN] > 0)
        two.set_policy(policy())
        await all_linked(one, two)


async def test_a_link_does_not_outlive_the_certificate_of_its_peer() -> None:
    now = [clock()]
    limits = replace(QUICK, rejudge_every_s=0.1)
    security = sm_tls(tls_identity(VICTIM), policy(), now=lambda: now[0])
    dialer, victim = node(0), node(1, limits=limits, security=security)
    async with running(dialer, victim):
        introduce(dialer, victim)
        await all_linked(dialer, victim)
        now[0] += timedelta(days=366)
        await linked(victim)
        assert victim.counters.cut == {Reason.EXPIRED: 1}


async def test_a_policy_that_changes_nothing_for_a_peer_leaves_its_link() -> None:
    one, two = node(0), node(1)
    async with running(one, two):
        introduce(one, two)
        await all_linked(one, two)
        other = organization("org2", now=clock())
        two.set_policy(replace(policy(), roots=(org().root, other.root)))
        one.set_policy(replace(policy(), revoked=frozenset({("org2", 7)})))
        one.send(two.peer_id, Channel.VOTES, b"still here")
        assert await receive(two, Channel.VOTES) == (one.peer_id, b"still here")
        assert one.counters.links == two.counters.links == 1
        assert not one.counters.cut and not two.counters.cut


@pytest.mark.parametrize("renewing", [0, 1], ids=["the one who dials", "the one who is dialed"])
async def test_a_renewal_under_load_loses_no_frame_and_keeps_the_order(renewing: int) -> None:
    networks = node(0), node(1)
    one, two = networks
    count = 150
    async with running(*networks):
        introduce(*networks)
        await all_linked(*networks)
        old = tls_identity(SEEDS[renewing]).certificate.serial
        bodies = {
            channel: [number.to_bytes(4) + bytes(20 * KIB) for number in range(count)]
            for channel in (Channel.TRANSACTIONS, Channel.BLOCKS)
        }
        bodies[Channel.VOTES] = [number.to_bytes(4) for number in range(count)]

        async def send_all(sender: Network, receiver: Network, channel: Channel) -> None:
            for body in bodies[channel]:
                while not sender.send(receiver.peer_id, channel, body):  # noqa: ASYNC110
                    await trio.sleep(0.005)
                await trio.sleep(0.001)

        async def receive_all(receiver: Network, channel: Channel) -> None:
            found = [(await receive(receiver, channel))[1] for _ in range(count)]
            if channel is Channel.VOTES:
                found.sort()  # those of the old link may come after some of the new one
            assert found == bodies[channel]

        async with trio.open_nursery() as nursery:
            for sender, receiver in ((one, two), (two, one)):
                for channel in bodies:
                    nursery.start_soon(send_all, sender, receiver, channel)
                    nursery.start_soon(receive_all, receiver, channel)
            for serial in (1, 2):
                await trio.sleep(0.15)
                networks[renewing].renew(tls_identity(SEEDS[renewing], serial))
                await until(lambda s=serial: two.counters.links == 1 + s)  # type: ignore[misc]
        await until(lambda: one.counters.links == two.counters.links == 3)
        assert one.counters.lost == two.counters.lost == 0
        assert one.connected() == {two.peer_id}
        await trio.sleep(2.0)  # until the links that retired, with the old certificate, are closed
        other = networks[1 - renewing]
        other.set_policy(replace(policy(), revoked=frozenset({("org1", old)})))
        await trio.sleep(0.3)
        assert not other.counters.cut, "it shows the new certificate"


@pytest.mark.parametrize("renewing", [0, 1], ids=["the one who dials", "the one who is dialed"])
async def test_a_renewal_reaches_a_link_whose_handshake_is_under_way(renewing: int) -> None:
    """It ends with the certificate that it began with, and is made anew."""
    seed = SEEDS[renewing]
    has_begun, may_go_on = trio.Event(), trio.Event()

    class Paused(SmTls):
        async def _met(self, *of_handshake: Any) -> ISecureConn:
            has_begun.set()
            await may_go_on.wait()
            return await super()._met(*of_handshake)

    def paused(key_pair: KeyPair, is_allowed: IsAllowed) -> Security:
        return Paused(
            key_pair, is_allowed, identity=tls_identity(seed), policy=policy(), now=utc_now
        )

    networks = [node(0), node(1)]
    networks[renewing] = node(renewing, security=paused)
    other = networks[1 - renewing]
    async with running(*networks):
        introduce(*networks)
        await has_begun.wait()
        networks[renewing].renew(tls_identity(seed, 1))
        may_go_on.set()
        await until(lambda: other.counters.links == 2)
        shown = other.certificates()[f"node{renewing}"]
        assert shown == tls_identity(seed, 1).certificate
        assert other.counters.lost == 0


async def test_a_certificate_of_another_key_does_not_renew() -> None:
    one = node(0)
    with pytest.raises(CertificateRefused):
        one.renew(tls_identity(SEEDS[1]))


# --- floods ------------------------------------------------------------------------------------


async def test_addresses_outside_the_configured_ranges_do_not_reach_tls() -> None:
    victim = node(1, allowed_ranges=[ip_network("10.0.0.0/8")])
    victim.update_allow_list({"p": PeerAddress(peer_id_of(DIALER), ANY_PORT)})
    async with running(victim):
        with pytest.raises(ConnectFailed):
            await connector_of(DIALER).dial(
                parse_address(victim.listen_address), ID.from_base58(victim.peer_id)
            )
        await until(lambda: victim.counters.refusals == {Refusal.ADDRESS: 1})


async def test_an_address_that_floods_is_not_even_shaken_hands_with() -> None:
    limits = NetworkLimits(attempts_burst=5, attempts_per_s=0.001)
    victim = node(1, limits=limits)
    async with running(victim):
        address = parse_address(victim.listen_address)
        for _ in range(12):
            await trio.aclose_forcefully(await trio.open_tcp_stream(address.host, address.port))
        await until(lambda: victim.counters.refused == 12)
        assert victim.counters.refusals[Refusal.RATE] == 7


async def test_a_handshake_that_stops_half_way_is_given_up() -> None:
    victim = node(1, limits=NetworkLimits(upgrade_timeout_s=0.3))
    async with running(victim):
        address = parse_address(victim.listen_address)
        async with await trio.open_tcp_stream(address.host, address.port) as stream:
            await stream.send_all(b"\x13/multistream/1.0.0\n\x15/shuxin/tls-sm/1.0.0\n\x16\x03\x01")
            await until(lambda: victim.counters.refusals == {Refusal.SLOW: 1})


async def test_a_flood_of_handshakes_neither_ends_a_link_nor_stops_its_votes() -> None:
    """200 strangers with a good ClientHello: 20 cost a handshake, the others nothing."""
    dialer, victim = node(0), node(1, limits=replace(QUICK, attempts_burst=20, attempts_per_s=0.01))
    head = b"\x13/multistream/1.0.0\n\x15/shuxin/tls-sm/1.0.0\n"
    shown = identity(organization("org1", now=clock()), subject(DIALER))
    async with running(dialer, victim):
        introduce(dialer, victim)
        await all_linked(dialer, victim)
        address = parse_address(victim.listen_address)

        async def flood() -> None:
            for _ in range(200):
                session = TlsSession(make_context(shown, policy().roots), is_server=False)
                session.handshake()
                stream = await trio.open_tcp_stream(address.host, address.port)
                with suppress(trio.BrokenResourceError):
                    await stream.send_all(head + session.outgoing())
                await trio.aclose_forcefully(stream)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(flood)
            for number in range(100):
                dialer.send(victim.peer_id, Channel.VOTES, b"%d" % number)
                assert await receive(victim, Channel.VOTES) == (dialer.peer_id, b"%d" % number)
        await until(lambda: victim.counters.refused == 200)
        assert victim.counters.refusals[Refusal.RATE] == 200 - 19, "one attempt was the link's"
        assert victim.counters.links == 1 and not victim.counters.lost
