"""What can go wrong between a client and a node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from ledger.values import Value

    Asked: TypeAlias = tuple[str, str, tuple[Value, ...]]  # contract, method, arguments


class ClientError(Exception):
    """Base of the errors of this package."""


class Refused(ClientError):
    """The node, or the contract it ran, said no; `code` is stable, `detail` says what to do.

    `asked` is the call or view of a session that was refused.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}" if detail else code)
        self.code = code
        self.detail = detail
        self.asked: Asked | None = None


class NodeUnavailable(ClientError):
    """No answer from the node: it may be down, starting, or the address may be wrong."""

    def __init__(self, target: str, detail: str) -> None:
        super().__init__(
            f"no answer from node {target} ({detail}); check that it runs "
            f"(`shuxin net status` or `shuxin node status`) and that --node names its address"
        )
        self.target = target
        self.detail = detail


class NodesUnavailable(NodeUnavailable):
    """None of several nodes could answer; `reasons` has (host:port, why) of each one asked."""

    def __init__(self, reasons: Sequence[tuple[str, str]], *, after_s: float) -> None:
        told = "; ".join(f"{target} ({why})" for target, why in reasons)
        ClientError.__init__(
            self,
            f"no node could answer in {after_s:.1f} s: {told}. Check that they run; what was "
            "handed in may still be included: ask for its id before sending it anew",
        )
        self.target = ",".join(target for target, _ in reasons)
        self.detail = told
        self.reasons = tuple(reasons)
