"""A gateway with its files, a node's place behind it, and a wire that can be listened to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import trio

from client.errors import NodeUnavailable
from client.sm.stream import SmStream
from client.sm.trust import SmTrust
from contracts.identities import IDENTITY, Revocation
from contracts.vm.declare import Storage
from contracts.vm.keys import key_part, key_prefix
from contracts.vm.types import INT, STR
from crypto.keys import save_key
from crypto.smtls import TlsIdentity, make_context
from crypto.x509.profile import Role
from crypto.x509.read import CERTIFICATE, CRL, encode_pem
from ledger.encoding import encode
from node.gateway.chain import ChainRevocations
from node.gateway.config import ClientRules, GatewayConfig, Limits
from node.gateway.credentials import CredentialFiles
from node.gateway.gateway import Gateway
from node.gateway.serve import clock
from node.gateway.tally import Tally
from tests.smtls_world import identity
from tests.x509_world import NODE, Org, organization

PASSPHRASE = b"a passphrase of tests"
# More of everything than a test needs: those that test a bound set it.
LIMITS = Limits(handshakes_per_s=1_000, per_address_max=1_000)


@dataclass
class GatewayWorld:
    """An organization, and the folder of its gateway."""

    folder: Path
    org: Org = field(default_factory=lambda: organization(now=clock()))

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "passphrase").write_bytes(PASSPHRASE)
        (self.folder / "passphrase").chmod(0o600)
        (self.folder / "root.crt").write_bytes(encode_pem(self.org.root.der, CERTIFICATE))
        self.own(identity(self.org))

    def own(self, shown: TlsIdentity) -> None:
        """What the gateway shows from now on."""
        write(self.folder / "gateway.crt", encode_pem(shown.certificate.der, CERTIFICATE))
        save_key(self.folder / "gateway.pem", shown.private, PASSPHRASE, replace=True)

    def revoke(self, *serials: int, days: int = 7) -> None:
        """A new revocation list."""
        made = self.org.crl(*serials, now=clock(), days=days)
        write(self.folder / "org.crl", encode_pem(made.der, CRL))

    def user(self, name: str = "alice", role: Role = Role.USER, *, days: int = 30) -> TlsIdentity:
        return identity(self.org, replace(NODE, name=name, role=role, peer_id=""), days=days)

    def trust(self, shown: TlsIdentity | None = None) -> SmTrust:
        return SmTrust((self.org.root,), (), shown)

    def config(
        self, node: str, *, limits: Limits = LIMITS, takes: frozenset[Role] | None = None
    ) -> GatewayConfig:
        """`takes`: the roles of clients that have to show a certificate; None: all come in."""
        lists = (self.folder / "org.crl",) if (self.folder / "org.crl").exists() else ()
        roots = (self.folder / "root.crt",)
        return GatewayConfig(
            listen="127.0.0.1:0",
            node=node,
            certificate=self.folder / "gateway.crt",
            key=self.folder / "gateway.pem",
            passphrase_file=self.folder / "passphrase",
            clients=None if takes is None else ClientRules(roots, lists, takes),
            chain=None,
            limits=limits,
            metrics_listen=None,
            log_level="info",
        )


@dataclass
class Running:
    gateway: Gateway
    tally: Tally
    port: int

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def dial(self, trust: SmTrust, *, port: int = 0) -> SmStream:
        """A client's stream after its handshake. Raises what that raises."""
        wire = await trio.open_tcp_stream("127.0.0.1", port or self.port)
        stream = SmStream(wire, make_context(trust.identity, trust.roots), is_server=False)
        try:
            await stream.handshake()
        except BaseException:
            await stream.aclose()
            raise
        return stream


@dataclass
class FakeChain:
    """The state of the contract `identity`, behind a node that may be away. A StateReader."""

    is_away: bool = True
    state: dict[bytes, bytes] = field(default_factory=dict)
    count: int = 0

    def get(self, namespace: str, key: bytes) -> bytes | None:
        if self.is_away:
            raise NodeUnavailable("node", "away")
        assert namespace == IDENTITY
        return self.state.get(key)

    def revoke(self, organization: str, serial: int) -> None:
        revoked = Revocation(organization, f"{serial:x}", "of a test", "", 1, 1)
        self.state[_REVOCATIONS + key_part(self.count)] = encode(revoked)
        self.count += 1
        self.state[_COUNT] = encode(self.count)


_COUNT = key_prefix(Storage("revocation_count", (), INT, is_map=False))
_REVOCATIONS = key_prefix(Storage("revocation_by_number", (INT,), STR, is_map=True))


@asynccontextmanager
async def running(
    config: GatewayConfig, *, chain: FakeChain | None = None
) -> AsyncIterator[Running]:
    tally = Tally()
    files = CredentialFiles(config, clock)
    asked = None if chain is None else ChainRevocations(chain)
    gateway = Gateway(config, files, tally, now=clock, chain=asked)
    async with trio.open_nursery() as nursery:
        port = await nursery.start(gateway.run)
        yield Running(gateway, tally, port)
        nursery.cancel_scope.cancel()


Serve = Callable[[trio.SocketStream], Awaitable[None]]


@asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[str]:
    """host:port where `serve` gets every connection; its connection may fail at any time."""

    async def guarded(stream: trio.SocketStream) -> None:
        async with stream:
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await serve(stream)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, guarded, 0)
        yield f"127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


async def echo(stream: trio.SocketStream) -> None:
    """A node that says everything back."""
    async for data in stream:
        await stream.send_all(data)


@dataclass
class Wiretap:
    """Stands between client and gateway, keeps all bytes, and may alter those to the gateway."""

    to: str
    heard: bytearray = field(default_factory=bytearray)
    alter: Callable[[bytes], bytes] = lambda data: data

    async def __call__(self, client: trio.SocketStream) -> None:
        host, _, port = self.to.rpartition(":")
        async with await trio.open_tcp_stream(host, int(port)) as far, trio.open_nursery() as both:

            async def carry(
                source: trio.abc.Stream, sink: trio.abc.Stream, alter: Callable[[bytes], bytes]
            ) -> None:
                with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                    while data := bytes(await source.receive_some(65536)):
                        self.heard += data
                        await sink.send_all(alter(data))
                both.cancel_scope.cancel()

            both.start_soon(carry, client, far, self._altered)
            both.start_soon(carry, far, client, bytes)

    def _altered(self, data: bytes) -> bytes:
        return self.alter(data)  # whatever it is by then


async def eventually(holds: Callable[[], bool]) -> None:
    """Waits until it does; the test's own time-out ends it if it never does."""
    while not holds():  # noqa: ASYNC110  # many things are waited for; none of them knows a test
        await trio.sleep(0.01)


def write(path: Path, data: bytes) -> None:
    """As one replaces a file that others read."""
    fresh = path.with_suffix(".fresh")
    fresh.write_bytes(data)
    fresh.replace(path)
