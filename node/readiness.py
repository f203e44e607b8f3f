"""Whether a node may answer at all: it may be stopping, halted, or in doubt about its own state."""

from __future__ import annotations

from node import refusals
from node.halt import HaltSwitch
from node.refusals import Refusal
from node.repair import Repair


class Readiness:
    """Thread safe: flags that are read, and set once."""

    def __init__(self, switch: HaltSwitch, repair: Repair) -> None:
        self._switch = switch
        self._repair = repair
        self.is_stopping = False

    @property
    def is_repairing(self) -> bool:
        return self._repair.is_active

    @property
    def is_halted(self) -> bool:
        return self._switch.is_halted

    def check_open(self) -> None:
        """Whether transactions are taken. Raises Refusal: stopping, halted, or as below."""
        if self.is_stopping:
            raise Refusal(refusals.STOPPING, "the node is shutting down: ask another")
        self.check_readable()
        if self._switch.is_halted:
            raise Refusal(
                refusals.HALTED,
                "this node has halted and takes no transactions: ask another; its log says why",
            )

    def check_readable(self) -> None:
        """Whether the ledger may be read. Raises Refusal: its state is not to be trusted."""
        if self._repair.is_active:
            raise Refusal(
                refusals.REPAIRING,
                "this node's state is damaged or differed from a quorum's, and is being rebuilt: "
                "ask another, or come back later",
            )
        if self._switch.is_curable:
            raise Refusal(
                refusals.HALTED,
                "this node has halted because its state is damaged or contradicts a quorum's, "
                "which makes it unfit to read: ask another; its log says why",
            )
