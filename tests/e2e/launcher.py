"""Starts a node that test code changed: its clock is wrong, or it is a liar.

    python -m tests.e2e.launcher NODE_TOML CONTROLS

The folder CONTROLS is read again and again, so that a test can change its mind while the node
runs: `clock` holds "offset MS" or "stopped MS", `equivocate` makes it a liar, `snapshots` says how
it serves those (tests.e2e.snapshot_server); without them the node is honest and its clock right.
`chunk_size` is read once: bytes of a snapshot's chunk. The product knows nothing of this.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import msgspec
import structlog
import trio

from consensus.pbft.messages import (
    Commit,
    Message,
    PrePrepare,
    SignedMessage,
    decode_message,
    encode_message,
    signing_bytes,
)
from ledger import snapshot
from ledger.encoding import decode, encode
from ledger.genesis import chain_id, load_genesis
from ledger.model import proposal_digest
from node.config import NodeConfig, load_config
from node.keys import node_passphrase, open_consensus_key
from node.links import Links, Presence
from node.logs import configure
from node.run import Node
from node.serve import SWITCH_INTERVAL_S
from node.statesync.keeper import FOLDER
from p2p.limits import Channel
from p2p.network import Frame, Network, PeerAddress
from p2p.tls.transport import sm_tls
from tests.e2e.snapshot_server import SnapshotAnswers

CLOCK = "clock"
EQUIVOCATE = "equivocate"
SNAPSHOTS = "snapshots"
CHUNK_SIZE = "chunk_size"
TWINS_MAX = 256  # heights whose second proposal is remembered for repetitions
VOTE_SIZE_MAX = 16 << 20

_log = structlog.get_logger("test.launcher")


def install_clock(control: Path) -> None:
    """From now on `time.time_ns` and `time.time` say what `control` wants.

    Monotonic clocks stay right: a machine whose date is wrong still counts seconds.
    """
    real_ns: Callable[[], int] = time.time_ns

    def wrong_ns() -> int:
        try:
            kind, value = control.read_text().split()
        except FileNotFoundError:
            return real_ns()
        milliseconds = int(value) * 1_000_000
        return milliseconds if kind == "stopped" else real_ns() + milliseconds

    time.time_ns = wrong_ns
    time.time = lambda: wrong_ns() / 1e9


@dataclass(frozen=True, slots=True)
class Twin:
    """Two signed proposals for one place, with a commit vote for each."""

    frames: tuple[bytes, bytes]
    commits: tuple[bytes, bytes]


_SERVED = Channel.SNAPSHOTS


class _Overheard:
    """Frames on their way to the node, of which `answers` learns."""

    def __init__(self, frames: trio.MemoryReceiveChannel[Frame], answers: SnapshotAnswers) -> None:
        self._frames = frames
        self._answers = answers

    def __aiter__(self) -> _Overheard:
        return self

    async def __anext__(self) -> Frame:
        frame = await self._frames.__anext__()
        self._answers.heard(frame)
        return frame


class TwoFaced(Network):
    """A network that shows half of the peers another proposal than the other half."""

    def __init__(
        self,
        config: NodeConfig,
        peers: Mapping[str, PeerAddress],
        presence: Presence,
        controls: Path,
    ) -> None:
        assert presence.identity is not None
        security = sm_tls(presence.identity, presence.policy)
        super().__init__(presence.seed, listen=config.listen, peers=peers, security=security)
        self._answers = SnapshotAnswers(controls / SNAPSHOTS, config.data_dir / FOLDER)
        self._provider = open_consensus_key(config, node_passphrase(config))
        self._chain_id = chain_id(load_genesis(config.genesis))
        others = [peers[name].peer_id for name in sorted(peers) if name != config.name]
        # Alternating, so that neighbors in the order of primaries hear different things.
        self._face = {peer_id: place % 2 for place, peer_id in enumerate(others)}
        self._control = controls / EQUIVOCATE
        self._twins: dict[tuple[int, int], Twin] = {}

    def incoming(self, channel: Channel) -> trio.MemoryReceiveChannel[Frame]:
        frames = super().incoming(channel)
        return cast(Any, _Overheard(frames, self._answers)) if channel is _SERVED else frames

    def send(self, peer_id: str, channel: Channel, body: bytes) -> bool:
        if channel is _SERVED:
            return super().send(peer_id, channel, self._answers.altered(peer_id, body))
        if channel is not Channel.VOTES or not self._control.exists():
            return super().send(peer_id, channel, body)
        signed = decode(body, SignedMessage, size_max=VOTE_SIZE_MAX)
        message, face = decode_message(signed.message), self._face.get(peer_id, 0)
        match message:
            case PrePrepare():
                twin = self._twin(signed, message)
                sent = super().send(peer_id, channel, twin.frames[face])
                super().send(peer_id, channel, twin.commits[face])
                return sent
            case Commit() if (message.view, message.height) in self._twins:
                commits = self._twins[message.view, message.height].commits
                return super().send(peer_id, channel, commits[face])
            case _:
                return super().send(peer_id, channel, body)

    def _twin(self, frame: SignedMessage, first: PrePrepare) -> Twin:
        """What the two halves get to see in place of `first`; both would pass alone."""
        place = (first.view, first.proposal.height)
        if place not in self._twins:
            later = msgspec.structs.replace(first.proposal, time_ms=first.proposal.time_ms + 1)
            second = PrePrepare(view=first.view, proposal=later)
            self._twins[place] = Twin(
                (self._signed(frame, first), self._signed(frame, second)),
                (self._signed(frame, _commit(first)), self._signed(frame, _commit(second))),
            )
            _log.info("equivocates", view=place[0], height=place[1])
            while len(self._twins) > TWINS_MAX:
                del self._twins[min(self._twins)]
        return self._twins[place]

    def _signed(self, frame: SignedMessage, message: Message) -> bytes:
        """`message` in place of the one in `frame`."""
        signature = self._provider.sign(signing_bytes(self._chain_id, message))
        return encode(
            msgspec.structs.replace(frame, message=encode_message(message), signature=signature)
        )


def _commit(proposed: PrePrepare) -> Commit:
    return Commit(
        view=proposed.view,
        height=proposed.proposal.height,
        digest=proposal_digest(proposed.proposal),
    )


async def serve(config: NodeConfig, controls: Path) -> None:
    """`node.run.serve` with links that may lie."""

    def links(config: NodeConfig, peers: Mapping[str, PeerAddress], presence: Presence) -> Links:
        return TwoFaced(config, peers, presence, controls)

    node = Node(config, links=links)
    try:
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(node.run)
                async for _ in signals:
                    nursery.cancel_scope.cancel()
                    break
    finally:
        node.close()


def main() -> None:
    config = load_config(Path(sys.argv[1]))
    controls = Path(sys.argv[2])
    configure(config.log_level)
    install_clock(controls / CLOCK)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    if (controls / CHUNK_SIZE).exists():
        snapshot.CHUNK_SIZE = int((controls / CHUNK_SIZE).read_text())
    trio.run(serve, config, controls)


if __name__ == "__main__":
    main()
