"""One TLS session over a wire that takes nothing any more."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from client.sm.relay import Outcome, Patience, relay
from client.sm.stream import SmStream
from crypto.smtls import TlsFault, TlsRefused, make_context
from tests.smtls_world import clock, identity
from tests.x509_world import organization

FORGED = b"\x17\x03\x03\x00\x20" + bytes(32)  # a record that nobody sealed


async def stuck() -> tuple[SmStream, trio.abc.Stream]:
    """A session whose other side takes no byte after the handshake, and that side's wire."""
    org = organization(now=clock())
    context = make_context(identity(org), (org.root,))
    near_wire, far_wire = trio.testing.memory_stream_pair()
    near = SmStream(near_wire, context, is_server=True)
    far = SmStream(far_wire, context, is_server=False)
    async with trio.open_nursery() as both:
        both.start_soon(near.handshake)
        both.start_soon(far.handshake)
    assert isinstance(near_wire.send_stream, trio.testing.MemorySendStream)
    near_wire.send_stream.send_all_hook = trio.sleep_forever
    return near, far_wire


async def test_an_alert_that_nobody_takes_does_not_collide_with_what_is_to_be_sent(
    autojump_clock: trio.testing.MockClock,
) -> None:
    near, far_wire = await stuck()
    plain, node = trio.testing.memory_stream_pair()
    outcome: list[Outcome] = []

    async def carry() -> None:
        outcome.append(await relay(near, plain, Patience(60, 60), lambda came, went: None))

    async with trio.open_nursery() as carrying:
        carrying.start_soon(carry)
        await far_wire.send_all(FORGED)
        await trio.testing.wait_all_tasks_blocked()  # the alert is under way
        await node.send_all(b"an answer of the node")
    assert outcome == [TlsFault.TAMPERED]


async def test_an_alert_waits_for_no_writer_that_is_stuck(nursery: trio.Nursery) -> None:
    near, far_wire = await stuck()
    nursery.start_soon(near.send_all, b"what is not taken")
    await trio.testing.wait_all_tasks_blocked()
    await far_wire.send_all(FORGED)
    with pytest.raises(TlsRefused) as refused:
        await near.receive_some()
    assert refused.value.reason is TlsFault.TAMPERED
    nursery.cancel_scope.cancel()
