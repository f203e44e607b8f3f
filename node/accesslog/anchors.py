"""Heads of closed files on the chain: the node puts them there, an auditor compares them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from contracts.anchors import AccessAnchor, newest_anchor
from contracts.registry import nodes_of
from ledger.model import address_of
from ledger.store import Store
from node.accesslog.folder import ACCESS_LOG
from node.accesslog.keeper import AccessLog, Closed, LogKeep, Owner

REPEAT_HEIGHTS = 20  # an anchor that came to nothing is tried again after so many blocks,
REPEAT_HEIGHTS_MAX = 2_000  # then after twice as many, up to this: a refusal may be for good


def closed_of(anchor: AccessAnchor) -> Closed:
    """What the chain says of a file."""
    return Closed(anchor.number, anchor.first, anchor.last, anchor.head, anchor.opened_ms)


def open_access_log(
    data_dir: Path, store: Store, public_key: bytes, *, keep: LogKeep, wall_ms: Callable[[], int]
) -> AccessLog:
    """A node's log, going on where it or the chain ends. Raises OSError, RegistryDamaged."""
    account = address_of(public_key)
    newest = newest_anchor(store, account)
    return AccessLog(
        data_dir / ACCESS_LOG,
        Owner(store.chain_id, account),
        keep=keep,
        wall_ms=wall_ms,
        anchored=None if newest is None else closed_of(newest),
    )


class Anchoring:
    """Follows the chain, and anchors one closed file after the other. Main task only."""

    def __init__(
        self,
        log: AccessLog,
        store: Store,
        public_key: bytes,
        anchor: Callable[[Closed], bool],
    ) -> None:
        """`anchor` sends the transaction, and says whether it did."""
        self._log = log
        self._store = store
        self._public_key = public_key
        self._anchor = anchor
        self._tried = 0  # number of the file that was tried last,
        self._due = 0  # the height from which on it is tried again,
        self._pause = REPEAT_HEIGHTS  # and the pause after that

    def follow(self) -> None:
        """After every block."""
        if not self._log.waiting:
            return
        newest = newest_anchor(self._store, address_of(self._public_key))
        closed = self._log.closed_after(0 if newest is None else newest.number)
        if closed is None:
            return
        height = self._store.height
        if closed.number == self._tried and height < self._due:
            return
        if all(node.public_key != self._public_key for node in nodes_of(self._store)):
            return  # the chain does not know this node: its log is its own affair
        if not self._anchor(closed):
            return
        is_again = closed.number == self._tried
        self._pause = min(2 * self._pause, REPEAT_HEIGHTS_MAX) if is_again else REPEAT_HEIGHTS
        self._tried, self._due = closed.number, height + self._pause
