"""Lets calls in as far as quotas reach, and puts each on record (8.1.7; ADR 36).

`Access` asks who calls; here a call is a passage: knock, name, enter, leave. What a node cannot put
on record it does not answer, and what it is too busy for costs it neither a signature nor a parse.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from ledger.access import decode_header
from ledger.errors import DecodeError
from ledger.model import Digest, address_of
from node import refusals
from node.accesslog.entry import ANSWERED, BEGUN, FAILED, REFUSED, Request
from node.accesslog.keeper import LogFailed
from node.api.levels import Level
from node.api.quotas import Admission, Busy, Ticket, cost_of, kind_of
from node.refusals import Refusal

FAULT = "internal"  # the code of a call that failed by a fault of the node


class Record(Protocol):
    """The access log. Each call raises LogFailed where the disk takes no entry."""

    def check(self) -> None: ...

    def append(self, request: Request, outcome: str, code: str = "") -> None: ...

    def append_repeated(self, request: Request, code: str) -> None: ...


class Porter:
    """One for all calls. Thread safe."""

    def __init__(self, admission: Admission, record: Record) -> None:
        self.admission = admission
        self.record = record

    def passage(
        self, method: str, digest: Digest, *, size: int, peer: str, is_stream: bool
    ) -> Passage:
        """For a call of `method` with a request of `size` bytes and this SM3."""
        request = Request(method, digest, "", b"", (), peer)
        return Passage(self.admission, self.record, request, size, is_stream=is_stream)


class Passage:
    """One call from the moment that it comes in. Used by one thread."""

    def __init__(
        self, admission: Admission, record: Record, request: Request, size: int, *, is_stream: bool
    ) -> None:
        self._admission = admission
        self._record = record
        self._request = request
        self._size = size
        self._is_stream = is_stream
        self._kind = kind_of(request.method, is_stream=is_stream)
        self._ticket: Ticket | None = None
        self._payer = ""  # the account that a call is drawn from; "": its host
        self._claimed = ""  # whose the header says it is
        self._is_repeated = False  # refused for its number alone

    def knock(self, header: bytes | None) -> None:
        """Before anything is verified. Raises Refusal: the log is full, or Busy."""
        try:
            self._record.check()
        except LogFailed:
            raise _unrecorded() from None
        self._claimed = _claimed(header)
        try:
            self._admission.knock(self._claimed, self._request.peer, self._kind)
        except Busy:
            self._is_repeated = True
            raise

    def spoil(self) -> None:
        """The header did not hold, or was not enough."""
        self._admission.spoil(self._claimed, self._request.peer)

    def name(self, account: str, certificate: bytes, levels: Collection[Level]) -> None:
        """The caller is known now: what becomes of the call is on record with its name."""
        request = self._request
        self._request = Request(
            method=request.method,
            digest=request.digest,
            account=account,
            certificate=certificate,
            levels=tuple(sorted(level.value for level in levels)),
            peer=request.peer,
        )

    def enter(self) -> None:
        """It may call. Raises Refusal: Busy, or a stream cannot be put on record."""
        request, account = self._request, self._request.account
        # Who is no more than the public has made its key for the occasion: its host has the quota.
        is_stranger = set(request.levels) <= {Level.PUBLIC.value}
        if account and is_stranger:
            self.spoil()
        self._payer = "" if is_stranger else account
        try:
            self._ticket = self._admission.enter(
                self._payer,
                request.peer,
                cost=cost_of(request.method, self._size),
                kind=self._kind,
            )
        except Busy:
            self._is_repeated = True
            raise
        if self._is_stream:
            self._append(BEGUN, "")

    def draw(self, cost: int) -> int:
        """What a stream reads while it lasts; milliseconds for which it has to rest then."""
        return self._admission.draw(self._payer, self._request.peer, cost)

    def leave(self, code: str) -> None:
        """The call has ended; `code` says why it was not answered, or is empty.

        Raises Refusal where that cannot be put on record: the answer must not leave then.
        """
        if self._ticket is not None:
            self._admission.leave(self._ticket)
            self._ticket = None
        if self._is_repeated:
            try:
                self._record.append_repeated(self._request, code)
            except LogFailed:
                raise _unrecorded() from None
        elif code == FAULT:
            self._append(FAILED, code)
        else:
            self._append(REFUSED if code else ANSWERED, code)

    def _append(self, outcome: str, code: str) -> None:
        try:
            self._record.append(self._request, outcome, code)
        except LogFailed:
            raise _unrecorded() from None


def _claimed(header: bytes | None) -> str:
    """Whose a header says it is: not proved yet. One that cannot be read is nobody's."""
    if header is None:
        return ""
    try:
        return address_of(decode_header(header)[1].public_key)
    except DecodeError:
        return ""


def _unrecorded() -> Refusal:
    return Refusal(
        refusals.ACCESS_LOG,
        "this node cannot put calls on record now and answers none: ask another, and tell its "
        "operator to make room on its disk",
    )
