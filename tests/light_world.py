"""Light clients for tests: of the moving chain, at the time of its newest block."""

from __future__ import annotations

from client.connection import Connection
from client.light.connection import VerifyingConnection
from client.light.follower import Follower
from client.light.trusted import Trusted, begin
from crypto.providers.software import verify_batch
from ledger.genesis import Genesis
from tests.moving_chain import TIME_MS, Chain


def now_of(chain: Chain) -> int:
    """A second after the newest block."""
    return TIME_MS + 1000 * (chain.store.height + 1)


def follower_of(chain: Chain, trusted: Trusted | None = None) -> Follower:
    return Follower(
        trusted or begin(chain.genesis, "test", 0), verify_batch, now_ms=lambda: now_of(chain)
    )


def checking(
    node: Connection, chain: Chain, follower: Follower | None = None
) -> VerifyingConnection:
    """A connection that checks what `node` says of `chain`, and does not wait for a laggard."""
    return VerifyingConnection(
        node, follower or follower_of(chain), verify_batch, pause=lambda _: None
    )


def trusting(genesis: Genesis) -> Trusted:
    return begin(genesis, "test", 0)
