"""What the chain says is revoked, asked of the node behind the gateway, which is believed."""

from __future__ import annotations

from client.errors import ClientError
from client.node import NodeClient
from contracts.identities import revocations_of
from contracts.registry import RegistryDamaged
from contracts.vm.host import StateReader
from node.complaints import Complaints

_complaints = Complaints("gateway")


class ChainRevocations:
    """Follows the contract `identity`. One thread at a time."""

    def __init__(self, state: StateReader) -> None:
        """`state` is of a node, see NodeState; reading it may raise ClientError."""
        self._state = state
        self._known = 0
        self._revoked: set[tuple[str, int]] = set()
        self.is_read = False  # at least once: before that nobody is let in

    @property
    def revoked(self) -> frozenset[tuple[str, int]]:
        """Organization and serial of each. Revocations are final: none is ever taken back."""
        return frozenset(self._revoked)

    def refresh(self) -> bool:
        """Ask for new ones; were there any, or was this the first answer?

        What was known stays known while the node is away.
        """
        before = (self.is_read, self._known)
        try:
            for found in revocations_of(self._state, known=self._known):
                self._revoked.add((found.organization, int(found.serial, 16)))
                self._known += 1
        except (ClientError, RegistryDamaged) as error:
            _complaints.complain("chain_unread", peer="node", reason=str(error))
            return self._known != before[1]
        self.is_read = True
        return (self.is_read, self._known) != before


class NodeState:
    """The newest certified state of a node. A StateReader; raises ClientError."""

    def __init__(self, node: NodeClient) -> None:
        self._node = node

    def get(self, namespace: str, key: bytes) -> bytes | None:
        return self._node.state(namespace, key).value
