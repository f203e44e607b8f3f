"""What a replay found: the first divergence with its exact cause, figures and anomalies."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

EXAMPLES_MAX = 20  # heights listed of each anomaly; all of them are counted


class Kind(StrEnum):
    """What is wrong, for programs; the words of a divergence say more."""

    GENESIS = "genesis"  # it is another chain than that of the genesis
    TRUNCATED = "truncated"  # the end of the archive is missing
    MISSING_BLOCK = "missing_block"  # a height is not there, or another block stands in its place
    FORK = "fork"  # a block of another history: it does not follow, or a quorum has another one
    SIGNATURE = "signature"  # a sender did not sign this transaction
    CONTRACT_CODE = "contract_code"  # nor this contract's source; or the state holds other code
    ORDER = "order"  # the transactions stand in another order than the rule's
    TIME = "time"  # the block's time is not the one that the rule or a quorum gives it
    TRANSACTION = "transaction"  # one that should not be in the block, or other ones than the root
    BLOCK = "block"  # another field of the header
    VALIDATOR_SET = "validator_set"  # another committee than the chain decided
    CERTIFICATE = "certificate"  # no quorum of the right committee signed this
    RECEIPT = "receipt"  # executing the transaction gives another outcome
    STATE = "state"  # executing the block gives another state
    RECOVERY = "recovery"  # a recovery plan that was not agreed on
    DAMAGE = "damage"  # the source cannot be read here


@dataclass(frozen=True, slots=True)
class Divergence:
    """Where and how the source first contradicts its genesis and the rules.

    `transaction` and `key` are empty where the contradiction is not about one; `height` is -1
    where the damage lies before any block.
    """

    height: int
    kind: Kind
    check: str
    transaction: str = ""  # id, hexadecimal
    key: str = ""  # NAMESPACE/KEY of the state
    expected: str = ""
    found: str = ""

    def sentence(self) -> str:
        place = f"block {self.height}" if self.height >= 0 else "before any block"
        parts = [f"{place}: {self.check}"]
        if self.transaction:
            parts.append(f"transaction {self.transaction}")
        if self.key:
            parts.append(f"key {self.key}")
        if self.expected or self.found:
            parts.append(f"expected {self.expected}, found {self.found}")
        return "; ".join(parts)


class Diverges(Exception):
    """Ends a replay."""

    def __init__(self, divergence: Divergence) -> None:
        super().__init__(divergence.sentence())
        self.divergence = divergence


@dataclass(slots=True)
class Anomaly:
    """Something lawful that an auditor wants to know of, and where it was seen."""

    count: int = 0
    heights: list[int] = field(default_factory=list)  # the first EXAMPLES_MAX

    def note(self, height: int, count: int = 1) -> None:
        self.count += count
        if len(self.heights) < EXAMPLES_MAX:
            self.heights.append(height)


@dataclass(frozen=True, slots=True)
class ContractCode:
    """Source that the chain has in its state at the end."""

    name: str
    status: str
    sequence: int
    code_hash: str  # SM3 of the source, which was computed anew


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a replay found. `divergence` None: everything up to `height` holds.

    `seconds` counts the time of all sittings of a replay that was resumed; `bound` is what this
    machine can verify at the most, 0 if that was not measured.
    """

    chain_id: str
    height: int  # last height that held
    certified_height: int  # up to here execution certificates were found and hold
    transactions: int
    signatures: int
    state_root: str
    seconds: float
    divergence: Divergence | None
    recoveries: int = 0  # recovery plans that the chain follows, each agreed on as it must be
    committees: int = 1  # committees that took over up to `height`, that of the genesis included
    resumed_height: int = 0  # up to here an earlier sitting had replayed
    content: str = ""  # digest of all that was read up to `height` (node.audit.work)
    kind: str = "ledger"  # what was examined: ledger archive node
    archive: str = ""  # digest of the archive; empty for a ledger, and for what is no archive
    threads: int = 1
    bound: float = 0.0  # raw SM2 verifications a second on all threads
    anomalies: dict[str, Anomaly] = field(default_factory=dict)
    contracts: tuple[ContractCode, ...] = ()

    def sentence(self) -> str:
        """The verdict for people."""
        if self.divergence is None:
            return "intact: the ledger follows from its genesis"
        return self.divergence.sentence()

    @property
    def rate(self) -> float:
        """Signatures verified a second, with everything else that a replay does."""
        return self.signatures / self.seconds if self.seconds else 0.0

    @property
    def share(self) -> float:
        """Of what the machine could do if verifying signatures were all; 0 if not measured."""
        return self.rate / self.bound if self.bound else 0.0
