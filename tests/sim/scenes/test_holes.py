"""A certificate is missing below later ones: nobody may wait for it for ever."""

from __future__ import annotations

import pytest

from consensus.pbft.messages import Certified, Checkpoint, Message
from tests.sim.scenario import Network

LOAD_MS = 20_000  # several times the patience with a hole (HOLE_TICKS) and the repeats before it


def lose_statements_of_next_height(network: Network, receivers: tuple[int, ...]) -> int:
    """These miss what is said about the outcome of the next height, for a second."""
    height = network.head + 1

    def is_lost(sender: int, to: int, message: Message) -> bool:
        if isinstance(message, Checkpoint):
            return to in receivers and message.statement.height == height
        if isinstance(message, Certified):
            return to in receivers and message.certificate.statement.height == height
        return False

    network.world.censor = is_lost
    network.load(1_000)
    network.world.censor = None
    return height


@pytest.mark.parametrize("receivers", [(3,), (0, 1, 2, 3)], ids=["one", "all"])
def test_hole_among_the_certificates_is_filled_under_load(receivers: tuple[int, ...]) -> None:
    network = Network(301, 4, rotate_every=1_000)
    network.load(500)
    network.settle()
    height = lose_statements_of_next_height(network, receivers)
    network.load(LOAD_MS)
    assert all(node.replica.certified > height for node in network.nodes)


@pytest.mark.parametrize("receivers", [(3,), (0, 1, 2, 3)], ids=["one", "all"])
def test_hole_among_the_certificates_is_filled_when_load_ends(receivers: tuple[int, ...]) -> None:
    network = Network(302, 4, rotate_every=1_000)
    network.load(500)
    network.settle()
    lose_statements_of_next_height(network, receivers)
    network.load(2_000)
    network.settle(15_000)
