"""What a driver does with a frame before its replica sees it, done once for all who receive it."""

from __future__ import annotations

from consensus.pbft import verify
from consensus.pbft.messages import Message, decode_message
from ledger.errors import DecodeError
from ledger.model import ValidatorSet
from tests.sim import keys

FRAMES_MAX = 4_096  # remembered; a frame that comes back later is checked again


class Gate:
    """Checks frames of one committee as the contract of the driver says.

    The answer depends on the frame alone, so that all receivers may share it, with the message.
    """

    def __init__(self, validators: ValidatorSet, chain_id: bytes, *, base: int = 0) -> None:
        self._validators = validators
        self._base = base
        self._chain_id = chain_id
        self._known: dict[tuple[int, bytes, bytes], Message | None] = {}
        self._last: tuple[bytes, Message | None] = (b"", None)

    def message_of(self, sender: int, data: bytes, signature: bytes) -> Message | None:
        """The message of a frame whose signatures are all right; None for any other frame."""
        frame = (sender, data, signature)
        try:
            return self._known[frame]
        except KeyError:
            pass
        if len(self._known) >= FRAMES_MAX:
            self._known.clear()
        message = self._known[frame] = self._check(sender, data, signature)
        return message

    def decoded(self, data: bytes) -> Message | None:
        """The message, whatever its signatures are; None if it cannot be read."""
        if self._last[0] is not data:  # a broadcast comes by once for every receiver
            try:
                self._last = (data, decode_message(data))
            except DecodeError:
                self._last = (data, None)
        return self._last[1]

    def _check(self, sender: int, data: bytes, signature: bytes) -> Message | None:
        validators, chain_id = self._validators, self._chain_id
        message = self.decoded(data)
        if message is None:
            return None
        try:
            items = verify.claims(message, sender, validators, chain_id, base=self._base)
            items.append(verify.outer_claim(message, sender, signature, validators, chain_id))
        except verify.ClaimInvalid:
            return None
        return message if all(keys.is_valid(item) for item in items) else None
