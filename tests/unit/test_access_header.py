"""The signed header of a request: what a node believes of it, and what by name not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace as changed

from client.account import Account
from client.signing import signed
from crypto import sm2
from crypto.providers.software import SoftwareProvider
from ledger.access import (
    HEADER_KEY,
    HEADER_SIZE_MAX,
    TAG_ACCESS,
    WINDOW_MS,
    AccessClaim,
    AccessHeader,
    decode_header,
    encode_header,
)
from ledger.encoding import encode
from ledger.errors import DecodeError
from ledger.model import Address
from node import refusals
from node.api.access import Caller, Judge, host_of
from node.api.levels import Level
from node.api.nonces import Nonces
from node.refusals import Refusal
from shuxin.v1 import node_pb2 as pb

CHAIN = bytes(range(32))
READ, OPEN, CLOSED = "/t.Node/Read", "/t.Node/Open", "/t.Node/Closed"
REQUEST = pb.GetBlockRequest(height=7)
RAW = REQUEST.SerializeToString()
PUBLIC = frozenset({Level.PUBLIC})
MEMBER = frozenset({Level.PUBLIC, Level.MEMBER})


@dataclass
class Register:
    """Accounts and the levels they have now."""

    known: dict[str, frozenset[Level]] = field(default_factory=dict)

    def levels(self, address: Address, certificate: bytes) -> frozenset[Level]:
        return self.known.get(address, PUBLIC)


@dataclass
class Hall:
    """A judge, a member and a stranger, and a clock that stands unless it is set."""

    member: Account
    stranger: Account
    register: Register
    judge: Judge

    def header(self, account: Account, *, method: str = READ, chain: bytes = CHAIN) -> bytes:
        ((key, value),) = signed(account, REQUEST, method=method, chain_id=chain)
        assert key == HEADER_KEY
        return value

    def altered(self, change: Callable[[AccessClaim], AccessClaim]) -> bytes:
        """A header whose claim was changed, and then signed by the member."""
        _, claim = decode_header(self.header(self.member))
        body = encode(change(claim))
        return encode_header(body, self.member.sign(TAG_ACCESS + body))

    def admit(self, header: bytes | None, *, method: str = READ, raw: bytes = RAW) -> Caller:
        return self.judge.admit(method, raw, header=header, peer="here")

    def refused(self, header: bytes | None, *, method: str = READ, raw: bytes = RAW) -> str:
        with pytest.raises(Refusal) as refusal:
            self.admit(header, method=method, raw=raw)
        return refusal.value.code


@pytest.fixture
def hall() -> Hall:
    provider = SoftwareProvider(sm2.generate())
    member, stranger = Account(provider), Account(SoftwareProvider(sm2.generate()))
    register = Register({member.address: MEMBER})
    judge = Judge(
        chain_id=CHAIN,
        verify=provider.verify,
        standings=register,
        nonces=Nonces(),
        levels={READ: frozenset({Level.MEMBER, Level.AUDITOR}), OPEN: PUBLIC},
    )
    return Hall(member, stranger, register, judge)


def test_a_members_header_tells_who_calls(hall: Hall) -> None:
    found = hall.admit(hall.header(hall.member))
    assert found == Caller(hall.member.address, hall.member.public_key, MEMBER, b"", "here")


def test_who_sends_no_header_may_call_what_is_public_and_is_told_how_to_name_a_key(
    hall: Hall,
) -> None:
    assert hall.admit(None, method=OPEN).is_anonymous
    with pytest.raises(Refusal, match="name a key") as refusal:
        hall.admit(None)
    assert refusal.value.code == refusals.ACCESS_MISSING


def test_a_stranger_has_a_name_but_no_level(hall: Hall) -> None:
    header = hall.header(hall.stranger, method=OPEN)
    assert hall.admit(header, method=OPEN).address == hall.stranger.address
    assert hall.refused(hall.header(hall.stranger)) == refusals.ACCESS_LEVEL


def test_a_method_without_a_level_is_refused_to_everybody(hall: Hall) -> None:
    header = hall.header(hall.member, method=CLOSED)
    assert hall.refused(header, method=CLOSED) == refusals.ACCESS_METHOD
    assert hall.refused(None, method=CLOSED) == refusals.ACCESS_METHOD


@pytest.mark.parametrize("method", [READ, OPEN])
def test_a_header_counts_once_also_where_none_is_needed(hall: Hall, method: str) -> None:
    header = hall.header(hall.member, method=method)
    hall.admit(header, method=method)
    assert hall.refused(header, method=method) == refusals.ACCESS_REPLAYED


def test_a_header_is_of_one_method_one_chain_and_one_request(hall: Hall) -> None:
    header = hall.header(hall.member)
    assert hall.refused(header, method=OPEN) == refusals.ACCESS_HEADER
    assert hall.refused(header, raw=RAW + b"\x08\x01") == refusals.ACCESS_BODY
    other = hall.header(hall.member, chain=bytes(32))
    assert hall.refused(other) == refusals.ACCESS_CHAIN
    hall.admit(header)  # none of this used it up


@pytest.mark.parametrize("offset_ms", [-WINDOW_MS - 1, WINDOW_MS + 1])
def test_a_header_is_believed_for_a_window_around_its_time(hall: Hall, offset_ms: int) -> None:
    _, claim = decode_header(header := hall.header(hall.member))
    hall.judge.wall_ms = lambda: claim.time_ms + offset_ms
    assert hall.refused(header) == refusals.ACCESS_TIME
    hall.judge.wall_ms = lambda: claim.time_ms + offset_ms - offset_ms // abs(offset_ms)
    hall.admit(header)


def test_a_signature_of_another_key_or_over_another_claim_does_not_hold(hall: Hall) -> None:
    header, claim = decode_header(hall.header(hall.member))
    forged = encode_header(header.body, hall.stranger.sign(TAG_ACCESS + header.body))
    assert hall.refused(forged) == refusals.ACCESS_SIGNATURE
    body = encode(changed(claim, time_ms=claim.time_ms + 1))
    assert hall.refused(encode_header(body, header.signature)) == refusals.ACCESS_SIGNATURE
    untagged = encode_header(header.body, hall.member.sign(header.body))
    assert hall.refused(untagged) == refusals.ACCESS_SIGNATURE


def test_a_key_that_is_no_point_of_the_curve_does_not_hold(hall: Hall) -> None:
    bad = hall.altered(lambda claim: changed(claim, public_key=b"\xff" * 64))
    assert hall.refused(bad) == refusals.ACCESS_SIGNATURE


def test_a_header_of_another_shape_is_refused_by_name(hall: Hall) -> None:
    wrong = [
        b"",
        b"\x00" * (HEADER_SIZE_MAX + 1),
        hall.header(hall.member) + b"\x00",
        hall.altered(lambda claim: changed(claim, nonce=b"short")),
        hall.altered(lambda claim: changed(claim, version=2)),
        hall.altered(lambda claim: changed(claim, certificate=b"x")),
    ]
    for header in wrong:
        assert hall.refused(header) == refusals.ACCESS_HEADER


@given(st.binary(max_size=HEADER_SIZE_MAX + 8))
def test_any_bytes_are_a_header_or_one_error(data: bytes) -> None:
    try:
        header, claim = decode_header(data)
    except DecodeError:
        return
    assert encode_header(encode(claim), header.signature) == data


@given(st.integers(0, 319), st.integers(1, 255))
def test_a_header_with_any_byte_changed_is_refused(place: int, change: int) -> None:
    provider = SoftwareProvider(sm2.generate())
    account = Account(provider)
    judge = Judge(
        chain_id=CHAIN,
        verify=provider.verify,
        standings=Register({account.address: MEMBER}),
        nonces=Nonces(),
        levels={OPEN: PUBLIC},
    )
    data = bytearray(signed(account, REQUEST, method=OPEN, chain_id=CHAIN)[0][1])
    data[place % len(data)] ^= change
    with pytest.raises(Refusal):
        judge.admit(OPEN, RAW, header=bytes(data), peer="")


def test_a_caller_whose_call_goes_on_is_judged_by_what_the_chain_says_now(hall: Hall) -> None:
    found = hall.admit(hall.header(hall.member))
    hall.judge.renewed(found, READ)
    hall.register.known.clear()
    with pytest.raises(Refusal) as refusal:
        hall.judge.renewed(found, READ)
    assert refusal.value.code == refusals.ACCESS_LEVEL
    hall.judge.renewed(replace(found, address=""), OPEN)


def test_only_a_header_that_holds_uses_up_a_nonce(hall: Hall) -> None:
    header, _ = decode_header(good := hall.header(hall.member))
    forged = encode(AccessHeader(header.body, bytes(64)))
    for _ in range(3):
        assert hall.refused(forged) == refusals.ACCESS_SIGNATURE
    assert len(hall.judge.nonces) == 0
    hall.admit(good)
    assert len(hall.judge.nonces) == 1


# --- the nonces -----------------------------------------------------------------------------


def _taken(nonces: Nonces, number: int, *, holder: str = "a", at_ms: int = 0) -> str:
    """The code of the refusal, or ""."""
    try:
        nonces.take(
            number.to_bytes(16, "big"), holder=holder, public_key=holder.encode(), at_ms=at_ms
        )
    except Refusal as refusal:
        return refusal.code
    return ""


def test_a_nonce_is_remembered_for_two_windows_and_then_forgotten() -> None:
    nonces = Nonces()
    assert not _taken(nonces, 1)
    assert _taken(nonces, 1, at_ms=2 * WINDOW_MS) == refusals.ACCESS_REPLAYED
    assert not _taken(nonces, 2, at_ms=3 * WINDOW_MS)
    assert len(nonces) == 1


def test_one_holder_cannot_take_the_memory_of_the_others() -> None:
    nonces = Nonces(all_max=5, of_one_max=3)
    assert [_taken(nonces, n) for n in range(4)] == ["", "", "", refusals.ACCESS_BUSY]
    assert [_taken(nonces, n, holder="b") for n in range(3)] == ["", "", refusals.ACCESS_BUSY]
    assert not _taken(nonces, 9, at_ms=3 * WINDOW_MS)  # there is room again


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 20_000)), max_size=60))
def test_no_nonce_is_taken_twice_within_two_windows(calls: list[tuple[int, int]]) -> None:
    nonces = Nonces()
    taken: dict[int, int] = {}
    now_ms = 0
    for number, pause_ms in calls:
        now_ms += pause_ms
        code = _taken(nonces, number, at_ms=now_ms)
        if number in taken and now_ms - taken[number] <= 2 * WINDOW_MS:
            assert code == refusals.ACCESS_REPLAYED
        if not code:
            taken[number] = now_ms


def test_a_peer_is_known_by_its_host() -> None:
    assert host_of("ipv4:10.0.0.1:4242") == "10.0.0.1"
    assert host_of("ipv6:%5B::1%5D:4242") == "::1"
    assert host_of("ipv6:[fe80::1]:1") == "fe80::1"
    assert host_of("unix:") == "local"
