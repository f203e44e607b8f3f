"""Situations that several tests begin with, made by losing chosen messages."""

from __future__ import annotations

from consensus.pbft.messages import (
    Certified,
    Checkpoint,
    Commit,
    Decision,
    Message,
    NewView,
    Prepare,
    PrePrepare,
    RelayedNewView,
)
from tests.sim.node import Node
from tests.sim.scenario import Network


def time_to_next_block(network: Network) -> int:
    """Virtual milliseconds until some node commits a block, under load."""
    start, head = network.world.now, network.head
    while network.head == head:
        assert network.world.now - start < 60_000, network.describe()
        network.load(100)
    return network.world.now - start


def vote_at(message: Message) -> tuple[int, int] | None:
    """View and height of a message of the three phases."""
    if isinstance(message, PrePrepare):
        return message.view, message.proposal.height
    if isinstance(message, Prepare | Commit):
        return message.view, message.height
    return None


def view_of(message: NewView | RelayedNewView) -> int:
    return message.new_view.view if isinstance(message, RelayedNewView) else message.view


def cut_off(network: Network, index: int) -> None:
    network.world.isolate({index}, len(network.nodes))


def kill(node: Node) -> None:
    assert node.is_up
    node.crash()


def until_committed_on(network: Network, only: int) -> int:
    """One more block is committed; `only` knows. Returns its height."""
    network.load(500)
    network.settle()
    height = network.head + 1

    def is_lost(sender: int, to: int, message: Message) -> bool:
        if sender == only:
            return isinstance(message, Commit | Decision | Certified | Checkpoint)
        return isinstance(message, Commit) and to != only

    network.world.censor = is_lost
    network.submit()
    assert network.world.run_until(lambda: network.nodes[only].disk.head == height, 2_000)
    assert all(node.disk.head < height for node in network.nodes if node.index != only)
    return height


def prepare_one_height_only(network: Network) -> int:
    """Two proposals are in flight in view 0; only the later is prepared. Returns the earlier."""
    network.load(500)
    network.settle()
    height = network.head + 1
    network.world.censor = lambda sender, to, message: (
        isinstance(message, Prepare | Commit) and vote_at(message) == (0, height)
    )
    primary = network.nodes[network.nodes[0].replica.proposer]
    for _ in range(2):
        network.submit()
        network.world.run_until(lambda: primary.replica.next_height > height + 1, 300)
    assert primary.replica.decided == height - 1
    network.world.run(200)
    return height
