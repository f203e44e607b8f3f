"""The gateway daemon: until SIGTERM or SIGINT; SIGHUP reads the files at once."""

from __future__ import annotations

import signal
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog
import trio

from client.account import Account
from client.node import NodeClient
from crypto.passphrase import find_passphrase
from node.gateway.chain import ChainRevocations, NodeState
from node.gateway.config import GatewayConfig
from node.gateway.credentials import CredentialFiles
from node.gateway.gateway import Gateway
from node.gateway.tally import Tally, make_render
from node.metrics_page import MetricsPage

if TYPE_CHECKING:
    from trio_typing import TaskStatus

_DAY_S = 86_400
_log = structlog.get_logger("gateway")


async def serve(
    config: GatewayConfig, *, task_status: TaskStatus[int] = trio.TASK_STATUS_IGNORED
) -> None:
    """Raises CryptoError or OSError for files or addresses that cannot be used, PageFailed."""
    files = await trio.to_thread.run_sync(CredentialFiles, config, clock)
    tally = Tally()

    def days_left() -> float:
        left = files.current.identity.certificate.not_after - clock()
        return left.total_seconds() / _DAY_S

    page = MetricsPage(make_render(tally, days_left), listen=config.metrics_listen)
    page.start()
    asking = await trio.to_thread.run_sync(_node, config)
    chain = None if asking is None else ChainRevocations(NodeState(asking))
    gateway = Gateway(config, files, tally, now=clock, chain=chain)
    try:
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
            async with trio.open_nursery() as nursery:
                port = await nursery.start(gateway.run)
                _log.info("serving", listen=config.listen, port=port, node=config.node)
                task_status.started(port)
                async for number in signals:
                    if number == signal.SIGHUP:
                        await gateway.refresh()
                    else:
                        _log.info("stopping", signal=signal.Signals(number).name)
                        nursery.cancel_scope.cancel()
                        break
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(page.stop)
            if asking is not None:
                asking.close()


def _node(config: GatewayConfig) -> NodeClient | None:
    """The node, asked by the account that the configuration names. Raises KeyFileInvalid."""
    if config.chain is None:
        return None
    key = config.chain.key
    account = Account.load(key, find_passphrase(config.chain.passphrase_file, keys=[key]))
    return NodeClient(config.node, caller=account)


def clock() -> datetime:
    return datetime.now(UTC)
