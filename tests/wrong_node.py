"""A node whose machine goes wrong once: `python -m tests.wrong_node NODE.TOML HEIGHT` runs a whole
node that alters one value it writes in the block of that height, the first time it executes it."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import trio

from contracts.vm.host import BlockResult, GenesisResult, RangeReader, ViewResult, Worker
from contracts.vm.messages import BlockContext
from ledger.genesis import Genesis
from ledger.model import StateWrite, Transaction
from node.config import load_config
from node.logs import configure
from node.serve import serve


class WrongEngine:
    """The real worker; `heights` are those that go wrong once, shared by all engines."""

    def __init__(self, heights: set[int], *, allow_unjailed: bool) -> None:
        self._worker = Worker(allow_unjailed=allow_unjailed)
        self._heights = heights

    @property
    def process_id(self) -> int | None:
        return self._worker.process_id

    @property
    def layers(self) -> Sequence[str]:
        return self._worker.layers

    def apply_genesis(self, genesis: Genesis) -> GenesisResult:
        return self._worker.apply_genesis(genesis)

    def apply_block(
        self, block: BlockContext, transactions: Sequence[Transaction], reader: RangeReader
    ) -> BlockResult:
        result = self._worker.apply_block(block, transactions, reader)
        if block.height not in self._heights:
            return result
        self._heights.remove(block.height)
        if not result.writes:  # a heartbeat
            return dataclasses.replace(result, writes=(StateWrite("notes", b"wrong", b"value"),))
        first, *rest = result.writes
        return dataclasses.replace(result, writes=(_flipped(first), *rest))

    def view(
        self,
        block: BlockContext,
        *,
        sender: str,
        contract: str,
        method: str,
        args: bytes,
        reader: RangeReader,
    ) -> ViewResult:
        return self._worker.view(
            block, sender=sender, contract=contract, method=method, args=args, reader=reader
        )

    def close(self) -> None:
        self._worker.close()


def _flipped(write: StateWrite) -> StateWrite:
    value = write.value or b"\0"
    return msgspec.structs.replace(write, value=bytes([value[0] ^ 1]) + value[1:])


def main() -> None:
    config = load_config(Path(sys.argv[1]))
    configure(config.log_level)
    heights = {int(height) for height in sys.argv[2:]}

    async def run() -> None:
        await serve(config, engine=lambda c: WrongEngine(heights, allow_unjailed=c.allow_unjailed))

    trio.run(run)


if __name__ == "__main__":
    main()
