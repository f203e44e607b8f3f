"""What a node says on chain in its own name, signed with its consensus key.

A member of a committee to come confirms that it is there (it would not say so if it lagged),
whoever sees a validator contradict itself shows both messages, and each hour the head of the log
of access goes on record. All are ordinary transactions: ordered, executed and kept like anyone's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import structlog

from client.account import Account
from client.build import VALID_HEIGHTS, build_transaction
from consensus.pbft.messages import SignedMessage, decode_message, signing_bytes
from consensus.pbft.types import Accuse
from contracts.anchors import EVIDENCE
from contracts.registry import GOVERNANCE, committee_of, confirmations_awaited
from crypto.provider import CryptoProvider
from ledger.encoding import encode
from ledger.store import Store
from ledger.values import Value
from node import intake
from node.accesslog.keeper import Closed
from node.refusals import Refusal
from node.rulebook import Rulebook
from node.transactions import Transactions

ACCUSATIONS_MAX = 4  # of one validator in a life: they prove a pattern, more would only fill blocks
REPEAT_HEIGHTS = 20  # a confirmation that came to nothing is tried again after so many blocks

ACCUSATION = "accusation"

_log = structlog.get_logger("node.acts")


class Acts:
    """Hands transactions of our own to the pool. Main task only."""

    def __init__(
        self,
        *,
        provider: CryptoProvider,
        rulebook: Rulebook,
        store: Store,
        transactions: Transactions,
        is_ready: Callable[[], bool],
    ) -> None:
        """`is_ready`: do we follow the chain closely enough to vote on it?"""
        self._account = Account(provider)
        self._rulebook = rulebook
        self._store = store
        self._transactions = transactions
        self._is_ready = is_ready
        self._confirmed_at: dict[str, int] = {}  # proposal -> height
        self._accused: Counter[bytes] = Counter()  # public key -> how often

    def confirm_where_awaited(self) -> None:
        """Confirm the change of the committee that waits for us, if one does."""
        height = self._store.height
        now_ms = self._store.head_statement().time_ms
        key = self._account.public_key
        for proposal in confirmations_awaited(self._store, key, now_ms=now_ms):
            if height - self._confirmed_at.get(proposal, -REPEAT_HEIGHTS) < REPEAT_HEIGHTS:
                continue
            if not self._is_ready():
                continue
            self._confirmed_at = {proposal: height}
            self._call(GOVERNANCE, "confirm", proposal)

    def accuse(self, accusation: Accuse, public_key: bytes) -> None:
        """Show the chain two messages that `public_key` signed and no honest validator signs."""
        if committee_of(self._store) is None or self._accused[public_key] >= ACCUSATIONS_MAX:
            return
        self._accused[public_key] += 1
        first, second = accusation.first, accusation.second
        self._call(
            ACCUSATION,
            "accuse",
            public_key,
            self._signed_bytes(first),
            first.signature,
            self._signed_bytes(second),
            second.signature,
        )

    def anchor_access(self, closed: Closed) -> bool:
        """Put the head of a closed file of the access log on record; False: we lag, try later."""
        if not self._is_ready():
            return False
        entries = (closed.number, closed.first, closed.last, closed.head, closed.opened_ms)
        self._call(EVIDENCE, "anchor_access", *entries)
        return True

    def _signed_bytes(self, signed: SignedMessage) -> bytes:
        return signing_bytes(self._rulebook.chain_id, decode_message(signed.message))

    def _call(self, contract: str, method: str, *args: Value) -> None:
        rules = self._rulebook.now
        transaction = build_transaction(
            self._account,
            chain_id=self._rulebook.chain_id,
            valid_until=self._store.height + min(VALID_HEIGHTS, rules.limits.valid_window),
            contract=contract,
            method=method,
            args=args,
        )
        try:
            item, _ = intake.check_form(encode(transaction), rules=rules)
        except Refusal as refusal:
            _log.error("act_refused", method=method, reason=str(refusal))
            return
        is_held = self._transactions.hold([item])[0]
        _log.info("act", method=method, transaction=item.id.hex(), held=is_held)
