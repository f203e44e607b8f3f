"""The daemon's life: a node until it is told to stop, and another on every new ledger."""

from __future__ import annotations

import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing

import structlog
import trio

from ledger.errors import LedgerDamaged, OtherFormat
from ledger.genesis import load_genesis
from ledger.store import Store
from node.bootstrap import check_genesis
from node.config import AUTO, NodeConfig
from node.edges import open_engine, open_links
from node.execute import Engine
from node.journal import JournalDamaged
from node.keys import node_passphrase, open_consensus_key
from node.links import OpenLinks
from node.mend import mend, mend_journal
from node.recover import Site
from node.run import Node
from node.statesync.begin import begin, wants_snapshot

# A verification is one call into libcrypto that gives up the interpreter lock and has to win it
# back from the main task; the default of 5 ms would cap a verifying thread at 200 a second.
SWITCH_INTERVAL_S = 0.0005

STOPPING = (signal.SIGTERM, signal.SIGINT)

_log = structlog.get_logger("node")


def site_of(config: NodeConfig, *, engine: Callable[[NodeConfig], Engine] | None = None) -> Site:
    """The node of `config`, for work on it while it is not running."""
    make = engine or open_engine
    passphrase = node_passphrase(config)
    genesis = load_genesis(config.genesis)
    check_genesis(genesis)
    return Site(
        data_dir=config.data_dir,
        genesis=genesis,
        provider=open_consensus_key(config, passphrase),
        make_engine=lambda: make(config),
    )


def open_node(config: NodeConfig, *, engine: Callable[[NodeConfig], Engine] | None = None) -> Node:
    """The node of `config`, its data mended if it must be and may be; on a thread of trio's.

    Raises LedgerDamaged and JournalDamaged where the configuration says so, Incurable, and what
    Node raises.
    """

    def advance(height: int) -> None:
        trio.from_thread.check_cancelled()

    try:
        return Node(config, engine=engine)
    except (LedgerDamaged, JournalDamaged) as damage:
        if config.repair != AUTO or isinstance(damage, OtherFormat):
            raise
        _log.critical("damaged", reason=str(damage), repair=config.repair)
        site = site_of(config, engine=engine)
        if isinstance(damage, LedgerDamaged):
            mend(site, advance)
        else:
            with closing(Store.open(site.ledger)) as store:
                height = store.height
            mend_journal(site.data_dir, height)
    return Node(config, engine=engine)


async def serve(
    config: NodeConfig, *, engine: Callable[[NodeConfig], Engine] | None = None
) -> None:
    """Run a node until SIGTERM or SIGINT; on SIGHUP it looks whether its certificate is renewed.

    `engine`: another than the jailed worker.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    running: list[Node] = []  # the one of the moment: another may follow it

    def started(node: Node, port: int) -> None:
        running[:] = [node]

    try:
        with trio.open_signal_receiver(*STOPPING, signal.SIGHUP) as signals:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(
                    live,
                    lambda: open_node(config, engine=engine),
                    started,
                    lambda: begin_if_wanted(config),
                )
                async for number in signals:
                    if number == signal.SIGHUP:
                        for node in running:
                            node.renew()
                        continue
                    _log.info("stopping", signal=signal.Signals(number).name)
                    for node in running:
                        await node.retire()
                    nursery.cancel_scope.cancel()
                    break
    except BaseExceptionGroup as group:
        raise innermost(group) from None


async def begin_if_wanted(config: NodeConfig, links: OpenLinks = open_links) -> None:
    """Make a ledger out of a snapshot where a node is to begin with one."""
    if await trio.to_thread.run_sync(wants_snapshot, config):
        await begin(config, links)


async def _at_once() -> None:
    """Nothing comes before the node."""


async def live(
    make: Callable[[], Node],
    on_start: Callable[[Node, int], None] = lambda node, port: None,
    before: Callable[[], Awaitable[None]] = _at_once,
) -> None:
    """Run a node, and the one that follows it on another ledger, as often as one does.

    `before` is done before each, and `on_start(node, port)` told of it. Ends when cancelled.
    """
    while True:
        await before()
        node = await trio.to_thread.run_sync(make)
        try:
            async with trio.open_nursery() as nursery:
                on_start(node, await nursery.start(node.run))
        finally:
            node.close()
        if not node.is_followed:
            return


def innermost(error: BaseException) -> BaseException:
    """The one error inside nested groups of one: what an operator should read."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
