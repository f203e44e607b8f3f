"""The largest messages of consensus fit their channel, and fill nobody's memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from consensus.pbft import messages
from consensus.pbft.types import Received
from crypto import sm2
from crypto.providers.software import SoftwareProvider
from ledger.committee import Epoch
from ledger.encoding import encode
from ledger.model import Signature, Validator, ValidatorSet
from node import votes
from node.committee import Committee, Office
from p2p.limits import Channel, default_channels
from p2p.network import Frame
from tests.ledger_world import World
from tests.node_world import Air, End

VOTES = default_channels()[Channel.VOTES]
QUORUM = 43  # of 64
DOMAIN = b"d" * 32


def largest_new_view() -> messages.NewView:
    """Of a committee of 64, each of a quorum with a full window of certificates."""
    signed = tuple(Signature(member, b"s" * 64) for member in range(QUORUM))
    prepared = tuple(
        messages.PreparedCertificate(2**40 - 1, 2**40 + height + 1, b"d" * 32, signed)
        for height in range(messages.WINDOW_MAX)
    )
    change = messages.ViewChange(2**40, None, prepared, tuple(range(21)), 2**40)
    return messages.NewView(
        2**40,
        tuple(messages.SignedViewChange(member, change, b"s" * 64) for member in range(QUORUM)),
    )


def test_the_new_view_of_the_largest_committee_fits_a_frame() -> None:
    relayed = messages.RelayedNewView(63, largest_new_view(), b"s" * 64)
    data = messages.encode_message(relayed)
    assert len(data) > 4 << 20, "a smaller limit would do"
    assert messages.decode_message(data) == relayed
    frame = encode(messages.SignedMessage(63, data, b"s" * 64, 2**40))
    assert len(frame) <= VOTES.frame_size_max


def test_whatever_consensus_takes_fits_a_frame_and_a_frame_fits_the_queues() -> None:
    message = bytes(messages.MESSAGE_SIZE_MAX)
    frame = encode(messages.SignedMessage(63, message, b"s" * 64, messages.NUMBER_MAX - 1))
    assert len(frame) <= VOTES.frame_size_max <= VOTES.queue_size_max
    assert VOTES.incoming_size_max is not None
    assert VOTES.frame_size_max <= VOTES.incoming_size_max


@pytest.mark.parametrize(("frames", "room"), [(3, 3), (10, 4)])
async def test_of_a_later_epoch_only_the_newest_frames_are_kept_up_to_a_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frames: int, room: int
) -> None:
    keys = [sm2.generate() for _ in range(4)]
    members = ValidatorSet(
        tuple(
            Validator(f"v{n}", f"party{n}", sm2.public_key(key), f"peer{n}")
            for n, key in enumerate(keys)
        )
    )
    said = [
        votes.sign_frame(
            messages.Status(1, True, number, number),
            Office(Epoch(8, members, DOMAIN), 1),
            SoftwareProvider(keys[1]),
        )[0]
        for number in range(10, 10 + frames)
    ]
    monkeypatch.setattr(votes, "LATER_SIZE_MAX", 4 * len(said[0]))
    world, end = World(tmp_path / "ledger"), End(Air(), "peer0", ["peer1"])
    provider = SoftwareProvider(keys[0])
    committee = Committee(
        Epoch(0, members, DOMAIN), public_key=members.validators[0].public_key, name="v0"
    )
    gate = votes.Votes(network=end, store=world.store, committee=committee, provider=provider)
    hand_over, taken = trio.open_memory_channel[Received](frames + 1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(gate.run)
        _say(end, said)
        await wait_all_tasks_blocked()
        gate.serve(committee.enter(Epoch(8, members, DOMAIN)), hand_over.send)
        _say(end, said[-1:])  # the next frame brings them to the driver
        said_by = [(await taken.receive()).message for _ in range(room + 1)]
        nursery.cancel_scope.cancel()
    heights = [one.decided for one in said_by if isinstance(one, messages.Status)]
    last = 10 + frames - 1
    assert heights == [*range(last - room + 1, last + 1), last]


def _say(end: End, bodies: Sequence[bytes]) -> None:
    for body in bodies:
        end.put(Channel.VOTES, Frame("peer1", body))
