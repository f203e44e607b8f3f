"""The process of an executor: a worker that serves until it is told to stop."""

from __future__ import annotations

import signal

from client.account import Account
from client.cluster import open_connection
from client.connection import Connection
from client.security import security_of
from client.session import Session
from crypto.passphrase import find_passphrase
from executors.chain import NodeChain
from executors.config import ExecutorConfig
from executors.cursor import CursorFile
from executors.data.registry import Registry
from executors.errors import ChainSettingsInvalid
from executors.home import engines_for, now_ms, only_one
from executors.logs import new_log
from executors.process import wipe_folders
from executors.speaker import Stopping
from executors.worker import STEP_S, Worker


def run(config: ExecutorConfig) -> None:
    """Serves until SIGTERM or SIGINT. Raises ExecutorError, ClientError or CryptoError."""
    log = new_log(config.log_level, party=config.party)
    passphrase = find_passphrase(config.passphrase_file, keys=[config.key])
    account = Account.load(config.key, passphrase)
    with only_one(config.home), _connected(config, account, passphrase) as node:
        left = wipe_folders(config.home / "run")
        if left:
            log.warning("leftovers_wiped", folders=left)
        worker = Worker(
            party=config.party,
            chain=NodeChain(Session(node, account)),
            engines=engines_for(config),
            registry=Registry(config.home),
            cursor=CursorFile(config.home / "cursor.json"),
            tasks_max=config.tasks_max,
            now_ms=now_ms,
            log=log,
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: worker.stop())
        try:
            worker.start()
            while not worker.is_stopping:
                worker.step(STEP_S)
        except Stopping:
            log.info("stopped_before_start")
        finally:
            worker.close()


def _connected(config: ExecutorConfig, account: Account, passphrase: bytes) -> Connection:
    """Raises ChainSettingsInvalid, CryptoError, OSError."""
    try:
        security = security_of(config.nodes, config.tls_files, lambda: passphrase)
        return open_connection(config.nodes, security=security, caller=account)
    except ValueError as error:
        raise ChainSettingsInvalid(f"[chain]: {error}") from None
