"""Every attack of this folder that is a source, and one digest over what becomes of all of them.

`python -m tests.sandbox.corpus` prints the digest: it must not depend on hash seeds, on the locale,
or on the version of CPython. It covers findings, results, gas, writes, events and errors.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from contracts.vm.check import check_source
from contracts.vm.testing import Chain, account
from ledger.encoding import encode
from ledger.values import Value
from tests.fuzz_vm.compare import arguments_from, drawn
from tests.fuzz_vm.generator import generator
from tests.sandbox import (
    test_cross_contract_attacks,
    test_memory_attacks,
    test_syntax_attacks,
    test_value_attacks,
)

GAS = 300_000  # each: enough to get to the point of an attack, or to run out
DRAWN = 40  # programs of the fuzz job beside them
ATTACKER = account("attacker")


def attacks() -> Iterator[tuple[str, str]]:
    """(name, source) of each; those that compile have a @call `attack`, or none at all."""
    for name in test_syntax_attacks.IN_FUNCTIONS:
        yield f"in_function/{name}", test_syntax_attacks.in_function(name)
    for name in test_syntax_attacks.AT_MODULE_LEVEL:
        yield f"module/{name}", test_syntax_attacks.at_module_level(name)
    for name, (_, source) in test_syntax_attacks.BOMBS.items():
        yield f"bomb/{name}", source
    for name in test_value_attacks.ATTACKS:
        yield f"value/{name}", test_value_attacks.source_of(name)
    for name in test_memory_attacks.BOMBS:
        yield f"memory/{name}", test_memory_attacks.source_of(name)
    for name in ("BANK", "THIEF", "LIAR"):
        yield f"cross/{name}", getattr(test_cross_contract_attacks, name)


def outcome(source: str) -> bytes:
    """What checking, deploying and calling `source` gives, as bytes that can be compared."""
    findings = check_source(source)
    told = hashlib.sha256(repr(findings).encode())
    if not any(finding.severity == "error" for finding in findings):
        chain = Chain()
        told.update(encode(chain.deploy("victim", source)))
        told.update(encode(chain.call(ATTACKER, "victim", "attack", gas_limit=GAS)))
        _update(told, chain)
    return told.digest()


def outcome_of_drawn(number: int) -> bytes:
    """The same of three calls of a drawn program."""
    chain, told = Chain(), hashlib.sha256()
    rng = generator("arguments", number)
    told.update(encode(chain.deploy("program", drawn(number))))
    for _ in range(3):
        arguments: list[Value] = arguments_from(rng)
        told.update(encode(chain.call(ATTACKER, "program", "main", *arguments, gas_limit=GAS)))
    _update(told, chain)
    return told.digest()


def _update(told: hashlib._Hash, chain: Chain) -> None:
    """The state but for the name of the engine, which tells the version of CPython."""
    for key in sorted(chain.state):
        if key != ("code", b"/engine"):
            told.update(repr((key, chain.state[key])).encode())


def lines() -> Iterator[str]:
    for name, source in attacks():
        yield f"{name} {outcome(source).hex()}"
    for number in range(DRAWN):
        yield f"drawn/{number} {outcome_of_drawn(number).hex()}"


if __name__ == "__main__":
    for line in lines():
        print(line)
