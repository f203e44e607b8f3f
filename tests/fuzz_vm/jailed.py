"""The same program in the jailed worker: what comes back over the pipes is what was in process."""

from __future__ import annotations

from typing import Final

import msgspec

from contracts.vm.host import Worker
from contracts.vm.testing import Chain
from tests.fuzz_vm.compare import CALLS, GAS, Differs, arguments_from, drawn
from tests.fuzz_vm.generator import generator
from tests.jailed_chain import ACCOUNT, JailedChain

_SAME: Final = bytes(32)  # ids of transactions differ by how they are made


def compare_jailed(seed: int, worker: Worker) -> None:
    """Draw the program of `seed` and run it here and there. Raises Differs."""
    source = drawn(seed)
    chain, jailed = Chain(height=0), JailedChain(worker, [("program", source)])
    chain.deploy("program", source)
    rng = generator("arguments", seed)
    for _ in range(CALLS):
        arguments = arguments_from(rng)
        here = chain.call(ACCOUNT, "program", "main", *arguments, gas_limit=GAS)
        (there,) = jailed.block([("program", "main", arguments)], gas_limit=GAS)
        if msgspec.structs.replace(here, transaction_id=_SAME) != msgspec.structs.replace(
            there, transaction_id=_SAME
        ):
            raise Differs(f"in process {here}, jailed {there}", source)
        held = [
            {k: v for k, v in state.items() if k[0] == "program"}
            for state in (chain.state, jailed.values)
        ]
        if held[0] != held[1]:
            raise Differs(f"in process {held[0]}, jailed {held[1]}", source)
