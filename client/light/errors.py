"""How a node fails to prove what it says. Bad proofs are `ledger.errors.BundleInvalid`."""

from __future__ import annotations

from client.errors import ClientError
from ledger.model import ExecutionCertificate


class LightError(ClientError):
    """A node's answer is not believed; the class says why."""


class ProofMissing(LightError):
    """The answer lacks what would prove it."""


class AnswerContradicts(LightError):
    """An answer says one thing and proves another."""


class OtherAnswer(LightError):
    """The answer is proved, but is not about what was asked."""


class EventForged(LightError):
    """An event is not in the certified receipts of its block."""


class OtherGenesis(LightError):
    """The genesis that a node sent is not the trusted one."""


class ChangeWithheld(LightError):
    """A certificate is of a committee to which the node shows no way."""


class StaleCertificate(LightError):
    """The newest that a node shows is too old by this machine's clock."""


class ClockBehind(LightError):
    """A certified block is later than this machine's clock: how old it is cannot be told."""


class WentBack(LightError):
    """A node shows a state older than one that was seen already."""


class ForkSeen(LightError):
    """A quorum signed two histories. `first` and `second` are the certificates; nothing goes on."""

    def __init__(
        self, message: str, first: ExecutionCertificate, second: ExecutionCertificate
    ) -> None:
        super().__init__(message)
        self.first = first
        self.second = second


class ForkKept(LightError):
    """Evidence of a fork lies in the folder: nothing more is believed until a person decided."""


class TrustDamaged(LightError):
    """The file of what is trusted cannot be used; says what to do."""
