"""Requests to the agent and its answers as bytes; secrets are not touched here.

request = "SXA1" | operation (1) | size of name (2) | size of secret (2) | seconds (4) | name |
          secret
answer  = "SXA1" | status (1) | size (2) | bytes: a secret, or a list of names
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass
from typing import Final

from crypto.errors import CryptoError

MAGIC: Final = b"SXA1"
NAME_SIZE_MAX: Final = 4096  # bytes: the longest path that Linux takes
SECRET_SIZE_MAX: Final = 1024  # bytes: what key files take as a passphrase
SECONDS_MAX: Final = 7 * 24 * 3600  # nobody means longer
ANSWER_SIZE_MAX: Final = 65_535
_REQUEST = struct.Struct(">4sBHHI")
_ANSWER = struct.Struct(">4sBH")
REQUEST_SIZE: Final = _REQUEST.size
ANSWER_SIZE: Final = _ANSWER.size


class AgentFault(CryptoError):
    """The agent cannot be asked, or refused; says what to do. Never carries a secret."""


class Operation(enum.IntEnum):
    HOLD = 1
    GIVE = 2
    DROP = 3  # with an empty name: all
    LIST = 4


class Status(enum.IntEnum):
    DONE = 0
    UNKNOWN = 1  # it holds nothing under this name
    FULL = 2
    REFUSED = 3  # of no valid form


@dataclass(frozen=True, slots=True)
class Head:
    """What a request says before its name and its secret."""

    operation: Operation
    name_size: int
    secret_size: int
    seconds: int


def encode_head(head: Head) -> bytes:
    return _REQUEST.pack(MAGIC, head.operation, head.name_size, head.secret_size, head.seconds)


def decode_head(data: bytes) -> Head:
    """Raises AgentFault for anything that no client of ours sends."""
    if len(data) != REQUEST_SIZE:
        raise AgentFault("a request has another length")
    magic, operation, name_size, secret_size, seconds = _REQUEST.unpack(data)
    if magic != MAGIC or operation not in tuple(Operation):
        raise AgentFault("a request of another protocol")
    head = Head(Operation(operation), name_size, secret_size, seconds)
    holds = head.operation is Operation.HOLD
    if holds != (0 < secret_size <= SECRET_SIZE_MAX) or holds != (0 < seconds <= SECONDS_MAX):
        raise AgentFault("secret and seconds belong to what is to be held, within their bounds")
    if not holds and (secret_size or seconds):
        raise AgentFault("secret and seconds belong to what is to be held")
    is_named = head.operation in (Operation.HOLD, Operation.GIVE)
    if name_size > NAME_SIZE_MAX or (is_named and not name_size):
        raise AgentFault("a request without a name, or with one too long")
    return head


def encode_answer(status: Status, size: int) -> bytes:
    return _ANSWER.pack(MAGIC, status, size)


def decode_answer(data: bytes) -> tuple[Status, int]:
    """Status, and how many bytes follow. Raises AgentFault."""
    if len(data) != ANSWER_SIZE:
        raise AgentFault("the agent gave up: is it a Shuxin agent at all?")
    magic, status, size = _ANSWER.unpack(data)
    if magic != MAGIC or status not in tuple(Status):
        raise AgentFault("what answers at the agent's socket is no Shuxin agent")
    return Status(status), size
