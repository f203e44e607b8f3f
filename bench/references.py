"""What this machine could do at best, measured in the same run as the network."""

from __future__ import annotations

import os
import secrets
import statistics
import tempfile
import time
from dataclasses import dataclass

import plyvel

from crypto import sm2

RUNS = 5  # medians of this many
MESSAGE_SIZE = 300  # bytes; about a small transaction
ROUND_S = 0.5
BLOCK_TRANSACTIONS = 1000
KEYS_PER_TRANSACTION = 2


@dataclass(frozen=True, slots=True)
class References:
    """Rates per second; `cores` is what the process may run on."""

    cores: int
    verify_rate: float  # SM2 verifications per second on one core, raw libcrypto
    sign_rate: float
    leveldb_rate: float  # transactions' worth of keys per second, one synced batch per block

    def bound(self, nodes: int) -> float:
        """Transactions per second if nodes on this machine did nothing but verify them."""
        return self.cores * self.verify_rate / nodes


def measure() -> References:
    private = sm2.generate()
    public = sm2.public_key(private)
    message = secrets.token_bytes(MESSAGE_SIZE)
    signature = sm2.sign(private, message)
    return References(
        cores=len(os.sched_getaffinity(0)),
        verify_rate=_rate(lambda: sm2.verify(public, message, signature)),
        sign_rate=_rate(lambda: sm2.sign(private, message)),
        leveldb_rate=_leveldb_rate(),
    )


def _rate(act: object) -> float:
    assert callable(act)
    rates = []
    for _ in range(RUNS):
        count = 0
        began = time.process_time()  # processor time: neighbours on the machine do not count
        while time.process_time() - began < ROUND_S:
            for _ in range(50):
                act()
            count += 50
        rates.append(count / (time.process_time() - began))
    return statistics.median(rates)


def _leveldb_rate() -> float:
    with tempfile.TemporaryDirectory() as folder:
        store = plyvel.DB(folder, create_if_missing=True)
        rates = []
        for _ in range(RUNS):
            began = time.perf_counter()
            with store.write_batch(sync=True) as batch:
                for _ in range(BLOCK_TRANSACTIONS * KEYS_PER_TRANSACTION):
                    batch.put(secrets.token_bytes(32), secrets.token_bytes(150))
            rates.append(BLOCK_TRANSACTIONS / (time.perf_counter() - began))
        store.close()
    return statistics.median(rates)
