"""What a node says, altered on the way in every field: the light client believes none of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice

import pytest
from google.protobuf.message import Message
from msgspec.structs import replace

from client.account import Account
from client.errors import ClientError, Refused
from client.light.connection import VerifyingConnection, view_key
from client.light.errors import (
    AnswerContradicts,
    ChangeWithheld,
    EventForged,
    OtherAnswer,
    OtherGenesis,
    ProofMissing,
)
from client.node import NodeClient, StatesProven
from client.translation import MESSAGE_SIZE_MAX
from ledger.encoding import encode
from ledger.errors import (
    LedgerError,
    OtherBlock,
    OtherReceipt,
    OtherState,
    OtherTransaction,
    QuorumMissing,
    SignersInvalid,
    ValidatorSignatureInvalid,
)
from ledger.genesis import chain_id
from ledger.model import ExecutionCertificate
from ledger.proof import StateKey, StateProof
from ledger.values import Value, encode_value
from ledger.versions import VERSIONS_MIN
from shuxin.v1 import node_pb2 as pb
from tests.light_world import checking
from tests.lying_proxy import Middle, between, lies_about
from tests.moving_chain import Moving, Served, served

KEY = encode_value(["records", "early"])
ABSENT = encode_value(["records", "never"])
KEYS = [("evidence", KEY), ("evidence", ABSENT), ("code", b"evidence")]


@pytest.fixture(scope="module")
def middle(moving: Moving) -> Iterator[Middle]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Served, "subscribers_max", 200)  # a stream that was left ends in seconds
        with served(moving.chain) as target, between(target) as found:
            yield found


@pytest.fixture(autouse=True)
def honest(middle: Middle) -> None:
    middle.lies.clear()
    middle.asked.clear()


@pytest.fixture
def node(middle: Middle) -> Iterator[NodeClient]:
    with NodeClient(middle.target) as client:
        yield client


Ask = Callable[[VerifyingConnection, Moving], object]


# What a node withholds nobody can see, until a certificate shows it.
WITHHELD = {"GetCommittees": ["committees without the last"], "FollowEvents": ["event empty"]}


def first_events(light: VerifyingConnection, moving: Moving) -> object:
    with closing(light.events(contract="evidence")) as stream:
        return [event for event in islice(stream, 2) if event.name]


ASKED: dict[str, Ask] = {
    "GetTransaction": lambda light, moving: light.transaction(moving.transactions[1]),
    "WaitReceipt": lambda light, moving: light.wait(moving.transactions[2], timeout_s=1),
    "GetState": lambda light, moving: light.state("evidence", KEY),
    "GetStates": lambda light, moving: light.states(KEYS),
    "GetBlock": lambda light, moving: light.block(moving.second_base + 1),
    "GetGenesis": lambda light, moving: light.genesis(),
    "GetCommittees": lambda light, moving: light.committee_changes(),
    "FollowEvents": first_events,
}


def test_the_truth_is_believed_at_no_more_than_one_question_each(
    middle: Middle, node: NodeClient, moving: Moving
) -> None:
    light = checking(node, moving.chain)
    light.committee_changes()
    for method in ("GetTransaction", "WaitReceipt", "GetState", "GetStates", "GetBlock"):
        middle.asked.clear()
        ASKED[method](light, moving)
        assert middle.asked == [method], "the proof comes with the answer"
    assert light.state("evidence", ABSENT).value is None
    assert light.block(0).block.header.height == 0
    assert light.newest_block().block.header.height == moving.head


@pytest.mark.parametrize("method", ASKED)
def test_every_field_altered_in_turn_is_refused(
    middle: Middle, node: NodeClient, moving: Moving, method: str
) -> None:
    truth = ASKED[method](checking(node, moving.chain), moving)
    lies = list(lies_about(middle.seen[method]))
    assert len(lies) >= 4
    believed = []
    for what, lie in lies:
        middle.lies[method] = lambda true, lie=lie: lie  # type: ignore[misc]
        try:
            found = ASKED[method](checking(node, moving.chain), moving)
        except (ClientError, LedgerError):
            continue
        if found != truth:  # without its proof a receipt is asked for again, and got
            believed.append(what)
    assert believed == WITHHELD.get(method, [])


# --- each lie by its own error --------------------------------------------------------------


def told(middle: Middle, method: str, **fields: object) -> None:
    """From now on this is said in place of the true fields."""

    def lie(message: Message) -> Message:
        for name, value in fields.items():
            message.ClearField(name)
            if isinstance(value, Message):
                getattr(message, name).CopyFrom(value)
            elif isinstance(value, list):
                getattr(message, name).extend(value)
            else:
                setattr(message, name, value)
        return message

    middle.lies[method] = lie


def certificate(moving: Moving, height: int) -> ExecutionCertificate:
    found = moving.chain.store.execution_certificate(height)
    assert found is not None
    return found


def test_a_header_of_another_block_is_refused(
    middle: Middle, node: NodeClient, moving: Moving
) -> None:
    other = moving.chain.store.header(moving.second_base - 2)
    told(middle, "GetTransaction", header=encode(other))
    with pytest.raises(OtherBlock):
        checking(node, moving.chain).transaction(moving.transactions[1])


def test_a_receipt_with_another_outcome_is_refused(
    middle: Middle, node: NodeClient, moving: Moving
) -> None:
    receipt = node.transaction(moving.transactions[1]).receipt
    told(middle, "GetTransaction", receipt=encode(replace(receipt, gas_used=1)))
    with pytest.raises(OtherReceipt):
        checking(node, moving.chain).transaction(moving.transactions[1])


def test_paths_to_another_place_are_refused(
    middle: Middle, node: NodeClient, moving: Moving
) -> None:
    long = pb.MerklePath(index=0, size=2, siblings=[bytes(32)])
    misshapen = pb.MerklePath(index=0, size=9, siblings=[bytes(32)])
    for path in (long, misshapen):
        told(middle, "GetTransaction", transaction_path=path)
        with pytest.raises(OtherTransaction):
            checking(node, moving.chain).transaction(moving.transactions[1])
        told(middle, "GetTransaction", receipt_path=path)
        with pytest.raises(OtherReceipt):
            checking(node, moving.chain).transaction(moving.transactions[1])


def test_another_height_than_the_proof_shows_is_refused(
    middle: Middle, node: NodeClient, moving: Moving
) -> None:
    told(middle, "GetTransaction", height=3)
    with pytest.raises(AnswerContradicts):
        checking(node, moving.chain).transaction(moving.transactions[1])


def test_an_answer_without_proof_is_refused(
    middle: Middle, node: NodeClient, moving: Moving
) -> None:
    told(middle, "GetTransaction", header=b"")
    told(middle, "WaitReceipt", header=b"")
    with pytest.raises(ProofMissing):
        checking(node, moving.chain).wait(moving.transactions[1], timeout_s=1)
    told(middle, "GetBlock", commit_certificate=b"")
    with pytest.raises(ProofMissing):
        checking(node, moving.chain).block(3)
    told(middle, "GetBlock", execution_certificate=b"")
    with pytest.raises(Refused, match="not certified"):
        checking(node, moving.chain).block(3)


def test_another_value_of_a_key_is_refused(
    middle: Middle, node: NodeClient, moving: Moving
) -> None:
    true = node.state("evidence", KEY)
    told(middle, "GetState", value=b"\x90")
    with pytest.raises(AnswerContradicts):
        checking(node, moving.chain).state("evidence", KEY)
    told(middle, "GetState", value=b"\x90", proof=encode(replace(true.proof, value=b"\x90")))
    with pytest.raises(OtherState):
        checking(node, moving.chain).state("evidence", KEY)


def test_the_absence_of_a_present_key_is_refused(
    middle: Middle, node: NodeClient, moving: Moving
) -> None:
    absent = node.state("evidence", ABSENT).proof
    for proof in (absent, StateProof(None, None, b"", ())):
        told(middle, "GetState", present=False, value=b"", proof=encode(proof))
        with pytest.raises(OtherState):
            checking(node, moving.chain).state("evidence", KEY)


def test_other_values_of_many_keys_are_refused(
    middle: Middle, node: NodeClient, moving: Moving
) -> None:
    true = node.states(KEYS)
    present, absent, code = true.proof.values
    assert present is not None and absent is None and code is not None
    for values in ((absent, absent, code), (present, code, code), (code, absent, present)):
        told(middle, "GetStates", proof=encode(replace(true.proof, values=values)))
        with pytest.raises(OtherState):
            checking(node, moving.chain).states(KEYS)
    told(middle, "GetStates", proof=encode(replace(true.proof, values=(present,))))
    with pytest.raises(Refused, match="another number of keys"):
        checking(node, moving.chain).states(KEYS)
    told(middle, "GetStates", proof=encode(node_states(middle, node, KEYS[::-1]).proof))
    with pytest.raises(OtherState):
        checking(node, moving.chain).states(KEYS)
    middle.lies.clear()
    with pytest.raises(OtherAnswer):
        told(middle, "GetStates", certificate=encode(true.certificate), proof=encode(true.proof))
        checking(node, moving.chain).states(KEYS, height=moving.head - 1)


def node_states(middle: Middle, node: NodeClient, keys: list[StateKey]) -> StatesProven:
    middle.lies.clear()
    return node.states(keys)


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ([], "1 to 256 keys, 0 were"),
        ([("evidence", b"%d" % number) for number in range(257)], "1 to 256 keys, 257 were"),
        ([("evidence", KEY)] * 2, "twice"),
        ([("evidence", bytes(513))], "no key of the state has more than 512"),
        ([("x" * 256, KEY)], "namespace"),
    ],
)
def test_keys_that_no_batch_proof_is_about_are_refused(
    node: NodeClient, moving: Moving, keys: list[StateKey], why: str
) -> None:
    with pytest.raises(Refused, match=why):
        checking(node, moving.chain).states(keys)


def test_many_keys_are_proved_at_heights_that_are_kept(node: NodeClient, moving: Moving) -> None:
    light = checking(node, moving.chain)
    first, last = moving.chain.store.provable
    filler = ("evidence", encode_value(["records", f"filler-{first}"]))
    assert light.states([filler, KEYS[0]], height=last).proof.values[0] is not None
    assert light.states([filler, KEYS[0]], height=first).proof.values[0] is None
    with pytest.raises(Refused, match=f"heights {first} to {last}"):
        light.states([filler, KEYS[0]], height=last + 1)


def test_the_state_of_another_height_is_refused(
    middle: Middle, node: NodeClient, moving: Moving
) -> None:
    true = node.state("evidence", KEY)
    told(middle, "GetState", proof=encode(true.proof), certificate=encode(true.certificate))
    with pytest.raises(OtherAnswer):
        checking(node, moving.chain).state("evidence", KEY, height=moving.head - 1)


def test_heights_that_are_kept_are_proved_and_others_named(
    middle: Middle, node: NodeClient, moving: Moving
) -> None:
    light = checking(node, moving.chain)
    first, last = moving.chain.store.provable
    assert last == moving.head and last - first == VERSIONS_MIN - 1
    filler = encode_value(["records", f"filler-{first}"])
    assert light.state("evidence", filler, height=last).value is not None
    assert light.state("evidence", filler, height=first).value is None
    for height in (first - 1, last + 1, 1):
        with pytest.raises(Refused, match=f"heights {first} to {last}") as refused:
            light.state("evidence", filler, height=height)
        assert refused.value.code == "state.height"


def test_a_certificate_without_a_quorum_or_with_other_signers_is_refused(
    middle: Middle, node: NodeClient, moving: Moving
) -> None:
    good = certificate(moving, moving.head)
    first, *rest = good.signatures
    forged = replace(first, signature=bytes(64))
    for signatures, error in (
        (tuple(rest), QuorumMissing),
        ((first, first, *rest[1:]), SignersInvalid),
        ((forged, *rest), ValidatorSignatureInvalid),
    ):
        told(middle, "GetState", certificate=encode(replace(good, signatures=signatures)))
        with pytest.raises(error):
            checking(node, moving.chain).state("evidence", KEY)


def test_the_genesis_of_another_chain_is_refused(
    middle: Middle, node: NodeClient, moving: Moving
) -> None:
    other = replace(moving.chain.genesis, name="another")
    told(middle, "GetGenesis", genesis=encode(other))
    with pytest.raises(OtherGenesis, match=chain_id(other).hex()):
        checking(node, moving.chain).genesis()


# --- changes of the committee ---------------------------------------------------------------


def test_changes_that_came_while_nobody_looked_are_followed(
    middle: Middle, node: NodeClient, moving: Moving
) -> None:
    light = checking(node, moving.chain)
    outcome = light.transaction(moving.transactions[2])
    assert outcome.height > moving.second_base
    assert middle.asked == ["GetTransaction", "GetCommittees"], "one question for all changes"
    light.transaction(moving.transactions[0])
    assert middle.asked[2:] == ["GetTransaction"], "they are known now"
    assert [proved.epoch for proved in light.findings.proved] == [moving.second_base, 0]


def test_a_withheld_change_is_told_apart_from_a_forged_certificate(
    middle: Middle, node: NodeClient, moving: Moving
) -> None:
    told(middle, "GetCommittees", committees=[], is_complete=True)
    # The last block of a committee is its own, but names the next one.
    told(middle, "GetBlock")
    with pytest.raises(ChangeWithheld):
        checking(node, moving.chain).block(moving.first_base)
    with pytest.raises((SignersInvalid, ValidatorSignatureInvalid, QuorumMissing)):
        checking(node, moving.chain).transaction(moving.transactions[2])


def test_a_forged_change_is_refused(middle: Middle, node: NodeClient, moving: Moving) -> None:
    first, second = (
        pb.CommitteeItem(
            base=epoch.base,
            validators=encode(epoch.validators),
            certificate=encode(certificate(moving, epoch.base)),
        )
        for epoch in moving.chain.store.epochs.all[1:3]
    )
    skipped = [second]
    exchanged = pb.CommitteeItem(
        base=first.base, validators=second.validators, certificate=first.certificate
    )
    for listed in (skipped, [exchanged, second]):
        told(middle, "GetCommittees", committees=listed, is_complete=True)
        with pytest.raises(LedgerError):
            checking(node, moving.chain).transaction(moving.transactions[2])


# --- streams, and answers that are none -----------------------------------------------------


def test_an_event_that_never_was_is_refused(
    middle: Middle, node: NodeClient, moving: Moving
) -> None:
    told(middle, "FollowEvents", time_ms=1)
    with pytest.raises(EventForged):
        first_events(checking(node, moving.chain), moving)
    told(middle, "FollowEvents", height=2)
    with pytest.raises(EventForged):
        first_events(checking(node, moving.chain), moving)


def test_events_of_one_block_are_complete_though_the_node_leaves_some_out(
    node: NodeClient, moving: Moving
) -> None:
    """Approvals of a proposal share a block: a node that shows one of them has to show all."""
    plain = list(islice(node.events(contract="proposal"), 12))
    light = checking(node, moving.chain)
    with closing(light.events(contract="proposal")) as stream:
        assert list(islice(stream, 12)) == plain
    index = next(i for i, event in enumerate(plain) if event.index)
    missing = [event for i, event in enumerate(plain) if i != index]

    class Gap(NodeClient):
        def events(self, **_: object):  # type: ignore[no-untyped-def]
            yield from missing

    with Gap(node.target) as gap:
        found = list(checking(gap, moving.chain).events(contract="proposal"))
    assert found[: len(plain) - 1] == plain[:-1]


def test_huge_and_cut_answers_are_refused(middle: Middle, node: NodeClient, moving: Moving) -> None:
    def cut(message: Message) -> bytes:
        return message.SerializeToString()[:-7]

    def huge(message: Message) -> bytes:
        return message.SerializeToString() + bytes(MESSAGE_SIZE_MAX)

    for lie, code in ((cut, "answer.unreadable"), (huge, "answer.oversized")):
        middle.lies["GetState"] = lie
        with pytest.raises(Refused) as refused:
            checking(node, moving.chain).state("evidence", KEY)
        assert refused.value.code == code


def test_views_are_noted_whatever_their_arguments(node: NodeClient, moving: Moving) -> None:
    class Told(NodeClient):
        def view(self, account: Account, contract: str, method: str, *args: Value) -> Value:
            return 7

    with Told(node.target) as told_by:
        light = checking(told_by, moving.chain)
        assert light.view(moving.chain.manager, "mine", "sum", [1, 2], {"a": b"x"}) == 7
    assert list(light.findings.said) == [view_key("mine", "sum", [1, 2], {"a": b"x"})]
    assert "views have no proof" in next(iter(light.findings.said.values()))
