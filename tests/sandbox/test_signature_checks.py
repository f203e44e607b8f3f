"""`sm2_verify` and `ctx.chain_id`: hostile arguments, the price, and the real jailed worker."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

import pytest

from contracts.dialect import functions as host
from contracts.vm import prices
from contracts.vm.apply import Machine
from contracts.vm.check import check_source
from contracts.vm.codes import Code
from contracts.vm.host import JailRefused, Worker
from contracts.vm.messages import BlockContext, Call
from contracts.vm.ranges import page_in
from contracts.vm.state import StateKey
from contracts.vm.testing import Chain, account
from contracts.vm.version import VM_VERSION
from crypto import sm2
from crypto.curve import A, B, N, P
from crypto.errors import LibcryptoFault
from ledger.encoding import encode
from ledger.genesis import Genesis, GenesisContract, Limits, chain_id
from ledger.model import Transaction, TransactionBody, ValidatorSet
from ledger.values import Value, decode_value, encode_value
from tests.memory_reader import MemoryReader

NOTARY = """
from contracts.dialect import call, ctx, sm2_verify, view
@call
def check(key: bytes, message: bytes, signature: bytes) -> bool:
    return sm2_verify(key, message, signature)
@call
def chain() -> bytes:
    return ctx.chain_id
@view
def seen() -> bytes:
    return ctx.chain_id
"""
ALICE = account("alice")
PRIVATE = sm2.generate()
KEY = sm2.public_key(PRIVATE)
MESSAGE = b"a vote"
SIGNATURE = sm2.sign(PRIVATE, MESSAGE)


def numbers(r: int, s: int) -> bytes:
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def flipped(data: bytes, position: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]


def x_off_curve() -> bytes:
    """An x for which the curve has no y."""
    x = next(x for x in range(1, 100) if pow(x**3 + A * x + B, (P - 1) // 2, P) == P - 1)
    return numbers(x, 1)


R, S = (int.from_bytes(SIGNATURE[i : i + 32], "big") for i in (0, 32))
HOSTILE: dict[str, tuple[bytes, bytes, bytes]] = {
    "nothing": (b"", b"", b""),
    "an_empty_key": (b"", MESSAGE, SIGNATURE),
    "a_short_key": (KEY[:-1], MESSAGE, SIGNATURE),
    "a_long_key": (KEY + b"\0", MESSAGE, SIGNATURE),
    "a_key_with_its_point_tag": (b"\x04" + KEY, MESSAGE, SIGNATURE),
    "a_key_of_zeros": (bytes(64), MESSAGE, SIGNATURE),
    "a_key_of_ones": (b"\xff" * 64, MESSAGE, SIGNATURE),
    "a_key_off_the_curve": (flipped(KEY, 63), MESSAGE, SIGNATURE),
    "a_key_on_no_curve": (x_off_curve(), MESSAGE, SIGNATURE),
    "unreduced_coordinates": (numbers(P, P), MESSAGE, SIGNATURE),
    "the_key_of_somebody_else": (sm2.public_key(sm2.generate()), MESSAGE, SIGNATURE),
    "halves_swapped": (KEY[32:] + KEY[:32], MESSAGE, SIGNATURE),
    "another_message": (KEY, MESSAGE + b"\0", SIGNATURE),
    "an_empty_message": (KEY, b"", SIGNATURE),
    "an_empty_signature": (KEY, MESSAGE, b""),
    "a_short_signature": (KEY, MESSAGE, SIGNATURE[:-1]),
    "a_long_signature": (KEY, MESSAGE, SIGNATURE + b"\0"),
    "a_signature_in_der": (KEY, MESSAGE, sm2.signature_to_der(SIGNATURE)),
    "a_signature_of_zeros": (KEY, MESSAGE, bytes(64)),
    "a_signature_of_ones": (KEY, MESSAGE, b"\xff" * 64),
    "r_is_zero": (KEY, MESSAGE, numbers(0, S)),
    "s_is_zero": (KEY, MESSAGE, numbers(R, 0)),
    "r_is_the_order": (KEY, MESSAGE, numbers(N, S)),
    "s_is_the_order": (KEY, MESSAGE, numbers(R, N)),
    "r_plus_s_is_the_order": (KEY, MESSAGE, numbers(R, N - R)),
    "s_negated": (KEY, MESSAGE, numbers(R, N - S)),
    "r_changed": (KEY, MESSAGE, flipped(SIGNATURE, 0)),
    "s_changed": (KEY, MESSAGE, flipped(SIGNATURE, 63)),
    "another_signer_id": (KEY, MESSAGE, sm2.sign(PRIVATE, MESSAGE, signer_id=b"")),
}


@pytest.fixture(scope="module")
def chain() -> Chain:
    chain = Chain()
    assert chain.deploy("notary", NOTARY).status == Code.ok
    return chain


def test_a_good_signature_is_good(chain: Chain) -> None:
    assert chain.must(ALICE, "notary", "check", KEY, MESSAGE, SIGNATURE) is True
    for message in (b"", b"m" * 40_000):
        signature = sm2.sign(PRIVATE, message)
        assert chain.must(ALICE, "notary", "check", KEY, message, signature) is True


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_signature_gives_false_and_no_error(chain: Chain, name: str) -> None:
    assert chain.must(ALICE, "notary", "check", *HOSTILE[name]) is False
    assert host.sm2_verify(*HOSTILE[name]) is False


def test_the_price_depends_on_sizes_alone(chain: Chain) -> None:
    good = chain.call(ALICE, "notary", "check", KEY, MESSAGE, SIGNATURE)
    bad = chain.call(ALICE, "notary", "check", KEY, MESSAGE, flipped(SIGNATURE, 40))
    again = chain.call(ALICE, "notary", "check", KEY, MESSAGE, SIGNATURE)
    assert good.gas_used == bad.gas_used == again.gas_used > prices.GAS_SM2_VERIFY
    longer = chain.call(ALICE, "notary", "check", KEY, b"m" * 6400, SIGNATURE)
    assert longer.gas_used > good.gas_used + 99 * prices.GAS_SM3_64


def test_a_check_that_is_not_paid_for_is_not_made(chain: Chain) -> None:
    args = (KEY, MESSAGE, SIGNATURE)
    receipt = chain.call(ALICE, "notary", "check", *args, gas_limit=prices.GAS_SM2_VERIFY)
    assert receipt.status == Code.out_of_gas


def test_a_unit_of_gas_is_worth_more_than_its_time_in_signature_checks() -> None:
    """The dearest arguments: a new key each time, and a signature that is not good."""
    keys = [sm2.public_key(sm2.generate()) for _ in range(40)]
    bad = flipped(SIGNATURE, 40)
    started = time.process_time()
    assert not any(host.sm2_verify(key, MESSAGE, bad) for key in keys)
    spent_ns = (time.process_time() - started) * 1e9
    assert spent_ns < 5 * 10 * prices.GAS_SM2_VERIFY * len(keys), "five times slower is too dear"


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        ("sm2_verify(key, key)", "T001"),
        ("sm2_verify(key, 'text', key)", "T001"),
        ("sm2_verify(key, key, key, key)", "T001"),
        ("ctx.chain_id == 'text'", "T001"),
        ("ctx.genesis == key", "L005"),
    ],
)
def test_the_checker_knows_their_types(call: str, rule: str) -> None:
    source = (
        "from contracts.dialect import ctx, sm2_verify, view\n"
        f"@view\ndef look(key: bytes) -> bool:\n    return {call}\n"
    )
    assert rule in [finding.rule for finding in check_source(source)]


def test_a_contract_knows_its_chain() -> None:
    def fetch(keys: Sequence[StateKey]) -> list[bytes | None]:
        return [stored.get(key) for key in keys]

    stored: dict[StateKey, bytes] = {}
    machine = Machine(fetch, partial(page_in, stored))
    mine = bytes(range(32))
    chain = Chain()
    chain.deploy("notary", NOTARY)
    stored.update(chain.state)
    call = Call(bytes(32), ALICE, "notary", "chain", encode_value([]), 10**6)
    receipts, _ = machine.apply_block(BlockContext(mine, 2, 1), [call])
    assert decode_value(receipts[0].return_value) == mine


def test_a_failing_library_is_no_verdict(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    """Out of memory inside libcrypto must not make one node refuse what others accept."""

    def fails(*_: bytes) -> bool:
        raise LibcryptoFault("out of memory")

    monkeypatch.setattr("crypto.sm2.verify", fails)
    with pytest.raises(LibcryptoFault):
        chain.call(ALICE, "notary", "check", KEY, MESSAGE, SIGNATURE)
    monkeypatch.undo()
    assert chain.must(ALICE, "notary", "check", KEY, MESSAGE, SIGNATURE) is True


def test_the_jailed_worker_checks_signatures_of_many_keys() -> None:
    """Landlock, seccomp and the memory bound hold while libcrypto works; nothing is loaded late."""
    try:
        worker = Worker()
    except JailRefused as refusal:
        pytest.skip(str(refusal))
    genesis = Genesis(
        version=1,
        name="jail",
        time_ms=1,
        validators=ValidatorSet(()),
        parties=(),
        contracts=(GenesisContract("notary", NOTARY, encode_value([])),),
        limits=Limits(),
        vm_version=VM_VERSION,
    )
    calls: list[tuple[list[Value], bool]] = [([*args], False) for args in HOSTILE.values()]
    calls += [([KEY, MESSAGE, SIGNATURE], True)] * 2
    for number in range(200):
        private = sm2.generate()
        message = b"m" * number
        args: list[Value] = [sm2.public_key(private), message, sm2.sign(private, message)]
        calls.append((args, True))
        calls.append(([args[0], b"other", args[2]], False))
    with worker:
        reader = MemoryReader(worker.apply_genesis(genesis).writes)
        context = BlockContext(chain_id(genesis), 1, 2)
        transactions = [transaction("check", args, place) for place, (args, _) in enumerate(calls)]
        transactions.append(transaction("chain", [], len(calls)))
        receipts = worker.apply_block(context, transactions, reader).receipts
        answer = worker.view(
            context, sender=ALICE, contract="notary", method="seen", args=b"\x90", reader=reader
        )
        assert worker.restarts == 0 and "seccomp" in worker.layers
    values = [decode_value(receipt.return_value) for receipt in receipts]
    assert values[:-1] == [good for _, good in calls]
    assert values[-1] == decode_value(answer.value) == chain_id(genesis)


def transaction(method: str, args: Sequence[Value], nonce: int) -> Transaction:
    body = TransactionBody(
        1, bytes(32), KEY, nonce.to_bytes(16, "big"), 10, "notary", method,
        encode_value(list(args)), 200_000,
    )  # fmt: skip
    return Transaction(encode(body), bytes(64))
