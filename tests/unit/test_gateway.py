"""The gateway over real sockets: what gets through, what is refused by name, and its bounds."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from structlog.testing import capture_logs

from client.channel import Security
from client.errors import NodeUnavailable
from client.node import NodeClient
from client.sm.stream import SmStream
from client.sm.trust import SmTrust
from crypto.errors import CertificateRefused, Reason
from crypto.keys import save_key
from crypto.smtls import TlsIdentity, TlsRefused
from crypto.x509.profile import Role
from node.gateway.credentials import CredentialFiles
from node.gateway.serve import clock
from tests.gateway_world import (
    LIMITS,
    FakeChain,
    GatewayWorld,
    Running,
    Wiretap,
    echo,
    eventually,
    listening,
    running,
    write,
)
from tests.moving_chain import Moving, served
from tests.smtls_world import identity
from tests.x509_world import DAY, NODE, organization

SECRET = b"this sentence must never be seen on the wire"
USERS = frozenset({Role.USER})


@pytest.fixture
def world(tmp_path: Path) -> GatewayWorld:
    return GatewayWorld(tmp_path / "gateway")


def _status(place: str, trust: SmTrust) -> bytes:
    """The chain's id, asked over sm://; a new client each time."""
    with NodeClient(f"sm://{place}", timeout_s=5, security=Security(sm=trust)) as client:
        return client.status().chain_id


async def _asked(place: str, trust: SmTrust) -> bytes:
    return await trio.to_thread.run_sync(_status, place, trust)


async def _why(place: str, trust: SmTrust) -> str:
    with pytest.raises(NodeUnavailable) as away:
        await _asked(place, trust)
    return away.value.detail


# --- carried ------------------------------------------------------------------------------------


async def test_calls_go_through_and_nothing_of_them_is_seen_on_the_wire(
    world: GatewayWorld, moving: Moving
) -> None:
    with served(moving.chain) as node:
        async with running(world.config(node)) as run:
            tap = Wiretap(run.place)
            async with listening(tap) as place:
                assert await _asked(place, world.trust()) == moving.chain.chain_id
            await eventually(lambda: not run.tally.open)
    assert len(tap.heard) > 2_000
    for part in (b"shuxin", b"GetStatus", b"grpc", moving.chain.chain_id, b"served", b"PRI * HTTP"):
        assert part not in tap.heard
    assert run.tally.accepted == 1 and not run.tally.refused
    assert run.tally.bytes_in > 100 and run.tally.bytes_out > 100


async def test_what_is_long_arrives_whole_both_ways(world: GatewayWorld) -> None:
    async with listening(echo) as node, running(world.config(node)) as run:
        stream = await run.dial(world.trust())
        message, found = SECRET * 100_000, bytearray()

        async def read() -> None:
            while len(found) < len(message):
                found.extend(await stream.receive_some())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            nursery.start_soon(stream.send_all, message)
        assert bytes(found) == message
        await stream.aclose()
        await eventually(lambda: run.tally.ended["closed"] == 1)


async def test_a_bit_flipped_on_the_way_ends_the_connection_and_is_counted(
    world: GatewayWorld,
) -> None:
    async with listening(echo) as node, running(world.config(node)) as run:
        tap = Wiretap(run.place)
        async with listening(tap) as place:
            stream = await run.dial(world.trust(), port=int(place.rpartition(":")[2]))
            await stream.send_all(SECRET)
            assert await stream.receive_some() == SECRET
            tap.alter = lambda data: data[:-1] + bytes([data[-1] ^ 1])
            await stream.send_all(SECRET)
            with pytest.raises(TlsRefused):  # the gateway's alert
                await stream.receive_some()
            await stream.aclose()
        await eventually(lambda: run.tally.ended["tampered"] == 1)
        assert SECRET not in tap.heard


async def test_a_connection_cut_off_is_not_taken_for_one_that_ended(world: GatewayWorld) -> None:
    async with listening(echo) as node, running(world.config(node)) as run:
        tap = Wiretap(run.place)
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(trio.serve_tcp, tap, 0)
            port = int(listeners[0].socket.getsockname()[1])
            stream = await run.dial(world.trust(), port=port)
            await stream.send_all(SECRET)
            await stream.receive_some()
            nursery.cancel_scope.cancel()
        await eventually(lambda: run.tally.ended["truncated"] + run.tally.ended["broken"] == 1)
        with pytest.raises((TlsRefused, trio.BrokenResourceError)):
            await stream.receive_some()
        await stream.aclose()


# --- whom a client believes ---------------------------------------------------------------------


async def test_a_client_names_why_it_does_not_believe_a_gateway(
    world: GatewayWorld, tmp_path: Path
) -> None:
    other = GatewayWorld(tmp_path / "other")
    old = GatewayWorld(tmp_path / "old", world.org)
    old.own(identity(world.org, now=clock() - 30 * DAY, days=29))
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(listening(echo))
        run = await stack.enter_async_context(running(world.config(node)))
        late = await stack.enter_async_context(running(old.config(node)))
        assert "tls.foreign" in await _why(run.place, other.trust())
        assert "tls.expired" in await _why(late.place, world.trust())
        serial = CredentialFiles(world.config(node), clock).current.identity.certificate.serial
        revoked = replace(world.trust(), lists=(world.org.crl(serial, now=clock()),))
        assert "certificate.revoked" in await _why(run.place, revoked)
        assert "no connection to the gateway" in await _why("127.0.0.1:1", world.trust())
        assert "tls." in await _why(node, world.trust())  # what answers there speaks no TLS


async def test_a_certificate_that_is_not_a_nodes_makes_no_gateway(world: GatewayWorld) -> None:
    user = world.user()
    with pytest.raises(CertificateRefused) as refused:
        SmTrust((world.org.root,)).judge(user.certificate, clock())
    assert refused.value.reason is Reason.ROLE
    world.own(user)
    with pytest.raises(CertificateRefused, match="role node"):
        CredentialFiles(world.config("127.0.0.1:1"), clock)


# --- whom a gateway takes -----------------------------------------------------------------------


async def test_each_client_that_is_not_taken_is_refused_by_its_reason(
    world: GatewayWorld, moving: Moving
) -> None:
    impostor = organization(now=clock())
    revoked = world.user("bob")
    world.revoke(revoked.certificate.serial)
    strangers: list[tuple[TlsIdentity | None, str]] = [
        (None, "no_certificate"),
        (world.user("carol", Role.AUDITOR), "role"),
        (identity(world.org), "role"),
        (identity(impostor, replace(NODE, role=Role.USER, peer_id="")), "foreign"),
        (identity(world.org, now=clock() - 30 * DAY, days=29), "expired"),
        (revoked, "revoked"),
    ]
    with served(moving.chain) as node:
        async with running(world.config(node, takes=USERS)) as run:
            good = world.trust(world.user())
            assert await _asked(run.place, good) == moving.chain.chain_id
            for shown, reason in strangers:
                before = run.tally.refused[reason]
                await _why(run.place, world.trust(shown))
                await eventually(lambda r=reason, n=before: run.tally.refused[r] > n)  # type: ignore[misc]
            assert set(run.tally.refused) == {reason for _, reason in strangers}
            assert await _asked(run.place, good) == moving.chain.chain_id
            assert run.tally.accepted == 2


async def test_a_list_that_is_too_old_refuses_all_of_its_root(world: GatewayWorld) -> None:
    made = world.org.crl(now=clock() - 30 * DAY, days=7)
    write(world.folder / "org.crl", made.der)
    async with listening(echo) as node:
        with capture_logs() as logs:
            files = CredentialFiles(world.config(node, takes=USERS), clock)
        assert "list_too_old" in {line["event"] for line in logs}
        with pytest.raises(CertificateRefused) as refused:
            files.current.judge(world.user().certificate, clock())
        assert refused.value.reason is Reason.CRL_EXPIRED


async def test_who_is_revoked_is_cut_off_from_a_live_connection_and_others_are_not(
    world: GatewayWorld,
) -> None:
    alice, bob = world.user("alice"), world.user("bob")
    world.revoke()
    async with listening(echo) as node, running(world.config(node, takes=USERS)) as run:
        streams = [await run.dial(world.trust(shown)) for shown in (alice, bob)]
        for stream in streams:
            await stream.send_all(SECRET)
            assert await stream.receive_some() == SECRET
        world.revoke(bob.certificate.serial)
        await run.gateway.refresh()
        await eventually(lambda: run.tally.ended["revoked"] == 1)
        assert await streams[1].receive_some() == b""
        await streams[0].send_all(SECRET)
        assert await streams[0].receive_some() == SECRET
        assert await _refused(run, world.trust(bob)) == "revoked"
        for stream in streams:
            await stream.aclose()


async def test_who_the_chain_revokes_is_cut_off_and_nobody_is_let_in_before_it_was_asked(
    world: GatewayWorld,
) -> None:
    alice, bob = world.user("alice"), world.user("bob")
    chain = FakeChain()
    async with listening(echo) as node:
        config = world.config(node, takes=USERS)
        async with running(config, chain=chain) as run:
            assert await _refused(run, world.trust(alice)) == "chain_unread"
            chain.is_away = False
            await run.gateway.refresh()
            streams = [await run.dial(world.trust(shown)) for shown in (alice, bob)]
            for stream in streams:
                await stream.send_all(SECRET)
                assert await stream.receive_some() == SECRET
            chain.revoke("org1", bob.certificate.serial)
            await run.gateway.refresh()
            await eventually(lambda: run.tally.ended["revoked"] == 1)
            # What is known stays, also over new files, while the node does not answer.
            chain.is_away = True
            world.own(identity(world.org))
            await run.gateway.refresh()
            assert await _refused(run, world.trust(bob)) == "revoked"
            await streams[0].send_all(SECRET)
            assert await streams[0].receive_some() == SECRET
            for stream in streams:
                await stream.aclose()


async def _refused(run: Running, trust: SmTrust) -> str:
    """The one new reason that is counted when this client comes."""
    before = run.tally.refused.copy()
    stream = await run.dial(trust)  # a client is done before it is judged
    with pytest.raises((TlsRefused, trio.BrokenResourceError)):
        if await stream.receive_some() == b"":
            raise trio.BrokenResourceError
    await stream.aclose()
    await eventually(lambda: run.tally.refused != before)
    (reason,) = run.tally.refused - before
    return reason


async def test_a_renewed_certificate_serves_the_next_connection_and_none_is_lost(
    world: GatewayWorld,
) -> None:
    async with listening(echo) as node, running(world.config(node)) as run:
        first = await run.dial(world.trust())
        newer = identity(world.org)
        write(world.folder / "gateway.crt", newer.certificate.der)  # half of a renewal
        with capture_logs() as logs:
            await run.gateway.refresh()
        assert [line["event"] for line in logs] == ["not_renewed"]
        second = await run.dial(world.trust())
        assert second.peer_certificate == first.peer_certificate
        world.own(newer)
        await run.gateway.refresh()
        third = await run.dial(world.trust())
        assert third.peer_certificate == newer.certificate
        for stream in (first, second, third):
            await stream.send_all(SECRET)
            assert await stream.receive_some() == SECRET
            await stream.aclose()


def test_a_passphrase_that_comes_after_its_key_completes_the_renewal(world: GatewayWorld) -> None:
    files = CredentialFiles(world.config("127.0.0.1:1"), clock)
    newer = identity(world.org)
    world.own(newer)
    save_key(world.folder / "gateway.pem", newer.private, b"another passphrase", replace=True)
    assert not files.refresh()
    write(world.folder / "passphrase", b"another passphrase")
    (world.folder / "passphrase").chmod(0o600)
    assert files.refresh()
    assert files.current.identity == newer


# --- bounds -------------------------------------------------------------------------------------


async def test_garbage_plaintext_and_silence_are_hung_up_on_by_name(world: GatewayWorld) -> None:
    limits = replace(LIMITS, handshake_s=0.3)
    async with listening(echo) as node, running(world.config(node, limits=limits)) as run:
        for said, reason in (
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "garbage"),
            (b"GET / HTTP/1.1\r\n\r\n", "garbage"),
            (bytes(64), "garbage"),
            (b"", "slow"),
            (b"\x16\x03\x01\x02\x00\x01", "slow"),
        ):
            before = run.tally.refused[reason]
            wire = await trio.open_tcp_stream("127.0.0.1", run.port)
            if said:
                await wire.send_all(said)
            try:
                while await wire.receive_some():
                    pass
            except trio.BrokenResourceError:
                pass
            await wire.aclose()
            await eventually(lambda r=reason, n=before: run.tally.refused[r] == n + 1)  # type: ignore[misc]
        assert not run.tally.accepted


async def test_many_that_say_nothing_do_not_keep_an_honest_client_out(
    world: GatewayWorld, moving: Moving
) -> None:
    with served(moving.chain) as node:
        async with running(world.config(node)) as run:
            silent = [await trio.open_tcp_stream("127.0.0.1", run.port) for _ in range(200)]
            assert await _asked(run.place, world.trust()) == moving.chain.chain_id
            for wire in silent:
                await wire.aclose()


async def test_an_address_has_its_share_and_another_still_gets_in(world: GatewayWorld) -> None:
    limits = replace(LIMITS, per_address_max=3)
    async with listening(echo) as node, running(world.config(node, limits=limits)) as run:
        held = [await run.dial(world.trust()) for _ in range(3)]
        for _ in range(20):
            with pytest.raises((TlsRefused, trio.BrokenResourceError)):
                await run.dial(world.trust())
        assert run.tally.refused["address_full"] == 20
        elsewhere = trio.socket.socket()
        await elsewhere.bind(("127.0.0.2", 0))
        await elsewhere.connect(("127.0.0.1", run.port))
        stream = SmStream(trio.SocketStream(elsewhere), world.trust().context(), is_server=False)
        await stream.handshake()
        await stream.send_all(SECRET)
        assert await stream.receive_some() == SECRET
        for one in (*held, stream):
            await one.aclose()
        await eventually(lambda: not run.tally.open)
        again = await run.dial(world.trust())  # places that were left are free
        await again.aclose()


async def test_a_client_that_reads_nothing_holds_little_and_is_dropped(
    world: GatewayWorld,
) -> None:
    sent = 0

    async def flood(stream: trio.SocketStream) -> None:
        nonlocal sent
        while True:
            await stream.send_all(bytes(65536))
            sent += 65536

    limits = replace(LIMITS, stall_s=0.3)
    async with listening(flood) as node, running(world.config(node, limits=limits)) as run:
        stream = await run.dial(world.trust())
        await eventually(lambda: run.tally.ended["stalled"] == 1)
        # What the sockets of three connections take; the gateway itself holds a chunk.
        assert sent < 64 << 20
        await stream.aclose()


async def test_a_connection_without_a_byte_is_ended(world: GatewayWorld) -> None:
    limits = replace(LIMITS, idle_s=0.2)
    async with listening(echo) as node, running(world.config(node, limits=limits)) as run:
        stream = await run.dial(world.trust())
        assert await stream.receive_some() == b""  # said, not cut off
        assert run.tally.ended["idle"] == 1
        await stream.aclose()


async def test_a_node_that_is_away_is_named_and_the_gateway_stays(world: GatewayWorld) -> None:
    async with listening(echo) as node:
        gone = node
    async with running(world.config(gone)) as run:
        stream = await run.dial(world.trust())
        assert await stream.receive_some() == b""
        assert run.tally.refused["node_away"] == 1
        await stream.aclose()


async def test_a_bug_in_one_connection_ends_that_one_alone(
    world: GatewayWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def faulty(*args: object) -> str:
        raise ZeroDivisionError

    async with listening(echo) as node, running(world.config(node)) as run:
        with monkeypatch.context() as patched, capture_logs() as logs:
            patched.setattr("node.gateway.gateway.relay", faulty)
            for _ in range(3):
                stream = await run.dial(world.trust())
                assert await stream.receive_some() == b""
                await stream.aclose()
            await eventually(lambda: run.tally.faults == 3)
            assert run.tally.ended["fault"] == 3
        told = [line["event"] for line in logs if line["log_level"] == "critical"]
        assert told == ["connection_failed"], "a line each would let a stranger fill the disk"
        stream = await run.dial(world.trust())
        await stream.send_all(b"still there")
        assert await stream.receive_some() == b"still there"
        await stream.aclose()


# --- files that cannot be used --------------------------------------------------------------


def test_files_that_cannot_be_used_are_refused_at_the_start(
    world: GatewayWorld, tmp_path: Path
) -> None:
    other = GatewayWorld(tmp_path / "other")
    spoil: list[tuple[Callable[[], None], str]] = [
        (lambda: write(world.folder / "gateway.crt", b"nonsense"), "certificate"),
        (lambda: _write_private(world.folder / "gateway.pem", b"nonsense"), "PKCS"),
        (lambda: (world.folder / "gateway.pem").chmod(0o644), "chmod 600"),
        (lambda: write(world.folder / "org.crl", other.org.crl(now=clock()).der), "altered"),
        (lambda: world.own(identity(world.org, replace(NODE, role=Role.USER, peer_id=""))), "role"),
    ]
    for act, said in spoil:
        world.own(identity(world.org))
        world.revoke()
        config = world.config("127.0.0.1:1", takes=USERS)
        CredentialFiles(config, clock)
        act()
        with pytest.raises(Exception, match=said) as refused:
            CredentialFiles(config, clock)
        assert type(refused.value).__module__.startswith("crypto.")


def _write_private(path: Path, data: bytes) -> None:
    path.write_bytes(data)  # its mode stays


def test_an_unknown_root_of_a_list_is_named(world: GatewayWorld, tmp_path: Path) -> None:
    other = organization("org2", now=clock())
    write(world.folder / "org.crl", other.crl(now=clock()).der)
    with pytest.raises(CertificateRefused, match="not among the roots"):
        CredentialFiles(world.config("127.0.0.1:1", takes=USERS), clock)
