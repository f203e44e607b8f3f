"""Files in which a node keeps two contradictory messages of one validator."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cli.output import CommandRefused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from consensus.pbft.messages import SignedMessage

FILE_SIZE_MAX = 1 << 20  # bytes; two proposals of 4096 transactions have a quarter of it


@dataclass(frozen=True, slots=True)
class Contradiction:
    """What was signed, and the signatures: the arguments of accusation.accuse after the key."""

    first: bytes
    first_signature: bytes
    second: bytes
    second_signature: bytes

    def signer(self, public_keys: Iterable[bytes]) -> bytes | None:
        """The key under which both signatures are good; None if none of these is it."""
        from crypto import sm2
        from crypto.errors import KeyInvalid, SignatureInvalid

        for key in public_keys:
            try:
                sm2.verify(key, self.first, self.first_signature)
                sm2.verify(key, self.second, self.second_signature)
            except (KeyInvalid, SignatureInvalid):
                continue
            return key
        return None


def load_contradiction(path: Path, chain_id: bytes) -> Contradiction:
    """What `node.accusations` wrote to an equivocation file. Raises CommandRefused."""
    from consensus.pbft.messages import SignedMessage
    from ledger.encoding import decode
    from ledger.errors import DecodeError

    try:
        with path.open("rb") as handle:
            data = handle.read(FILE_SIZE_MAX + 1)
        first, second = decode(data, tuple[SignedMessage, SignedMessage], size_max=FILE_SIZE_MAX)
        return Contradiction(
            _signed_bytes(first, chain_id),
            first.signature,
            _signed_bytes(second, chain_id),
            second.signature,
        )
    except OSError as error:
        raise CommandRefused("accusation.file", f"{path}: {error.strerror}") from None
    except DecodeError as error:
        raise CommandRefused(
            "accusation.file",
            f"{path}: {error}; name a file equivocation-*.bin of a node's data/accusations",
        ) from None


def _signed_bytes(half: SignedMessage, chain_id: bytes) -> bytes:
    from consensus.pbft.messages import decode_message, signing_bytes

    return signing_bytes(chain_id, decode_message(half.message))
