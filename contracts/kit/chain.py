"""The chain of the fixture: contracts from texts or files, senders by name, lines if asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from contracts.bundle import system_sources
from contracts.kit.marks import LineAssembly, LineMap
from contracts.kit.trace import Tracer
from contracts.kit.usage import Ledger, Usage
from contracts.vm.apply import GENESIS_GAS, Machine
from contracts.vm.compile import Compiled, compile_source
from contracts.vm.features import LATEST
from contracts.vm.instance import Instance
from contracts.vm.messages import BlockContext, Call, Install, Query, Viewed
from contracts.vm.state import Fetch, Scan
from contracts.vm.testing import CallFailed, Chain, account
from ledger.model import Receipt
from ledger.values import Value, encode_value

_ADDRESS = re.compile(r"[0-9a-f]{40}|contract:.*")
REASON = "a test upgrades it"


class LineMachine(Machine):
    """The machine, with code that keeps lines, noting in `ledger` what they do and spend."""

    def __init__(self, fetch: Fetch, scan: Scan, language: int, ledger: Ledger) -> None:
        super().__init__(fetch, scan, language)
        self._ledger = ledger
        self._tracer = Tracer(self.meter, self._usage_of)
        # By identity; what they belong to is kept with them, so that no other takes its place.
        self._maps: dict[int, tuple[Compiled, LineMap]] = {}
        self._usages: dict[int, tuple[Instance, Usage]] = {}  # by scope of the instance
        self._latest: dict[str, Usage] = {}

    def compile(self, source: str) -> Compiled:
        assembly = LineAssembly(source)
        compiled = compile_source(source, self.language, assembly)
        self._maps[id(compiled)] = compiled, assembly.map
        return compiled

    def instance(self, name: str, *, is_view: bool) -> Instance:
        instance = super().instance(name, is_view=is_view)
        if id(instance.scope) not in self._usages:
            _, lines = self._maps[id(instance.compiled)]
            usage = self._latest[name] = self._ledger.usage(name, lines)
            self._usages[id(instance.scope)] = instance, usage
        return instance

    def transaction(self, call: Call) -> Receipt:
        with self._tracer.run(call.gas_limit):
            receipt = super().transaction(call)
        self._note_call(call.contract)
        return receipt

    def view(self, block: BlockContext, query: Query) -> Viewed:
        with self._tracer.run(query.gas_limit):
            viewed = super().view(block, query)
        self._note_call(query.contract)
        return viewed

    def deploy_at_genesis(self, item: Install) -> Receipt:
        with self._tracer.run(GENESIS_GAS):
            return super().deploy_at_genesis(item)

    @property
    def beside(self) -> int:
        """Gas units that the last run spent in no line of a contract."""
        return self._tracer.beside

    def _note_call(self, contract: str) -> None:
        usage = self._latest.get(contract)
        if usage is not None:
            usage.calls += 1
            usage.beside += self._tracer.beside

    def _usage_of(self, frame: FrameType) -> Usage | None:
        known = self._usages.get(id(frame.f_globals))
        return known[1] if known else None


class KitChain(Chain):
    """A chain for tests of contracts.

    Senders are names, addresses of 40 hex digits, or `contract:NAME`.
    With a `ledger` it notes there which lines run and what they spend. Raises LanguageUnknown.
    """

    def __init__(
        self,
        ledger: Ledger | None = None,
        *,
        height: int = 1,
        time_ms: int = 1_700_000_000_000,
        language: int = LATEST,
    ) -> None:
        super().__init__(height=height, time_ms=time_ms, language=language)
        if ledger is not None:
            self.machine = LineMachine(self.fetch, self.scan, language, ledger)

    def deploy(
        self, name: str, source: str | Path, args: Sequence[Value] = (), *, by: str = ""
    ) -> Receipt:
        """Deploy a text or a file; `args` go to @init. Raises CallFailed with what is wrong.

        As genesis does, or in a transaction of `by`, which parties() gave a role that may. What a
        sender deployed, upgrade() can change.
        """
        text = _text(source)
        if by:
            words = name, text, encode_value(list(args))
            receipt = self.call(by, "contract", "deploy", *words)
        else:
            receipt = super().deploy(name, text, args)
        return _succeeded(receipt, f"deployment of {name}")

    def upgrade(self, name: str, source: str | Path, *senders: str) -> Receipt:
        """The first of `senders` proposes the upgrade, the others approve it; @migrate runs.

        The rule is the chain's: the party that deployed it, a manager and an operator. Raises
        CallFailed with what is missing or wrong.
        """
        record = self.view(senders[0], "contract", "show", name)
        assert isinstance(record, dict) and isinstance(record["sequence"], int)
        sequence = record["sequence"] + 1
        words: tuple[Value, ...] = name, sequence, _text(source), REASON
        receipt = _succeeded(self.call(senders[0], "contract", "upgrade", *words), name)
        for sender in senders[1:]:
            pending = self.view(sender, "contract", "pending", name)
            assert isinstance(pending, dict)
            words = name, sequence, pending["code_hash"]
            receipt = _succeeded(self.call(sender, "contract", "approve", *words), name)
        waiting = self.view(senders[0], "contract", "pending", name)
        if waiting is not None:
            assert isinstance(waiting, dict) and isinstance(waiting["missing"], list)
            missing = ", ".join(map(str, waiting["missing"]))
            raise CallFailed(f"the upgrade of {name} waits for {missing}")
        return receipt

    def parties(self, **roles: str | Sequence[str]) -> None:
        """Deploy the register with a party of each name; its one account has the party's name.

        One at least is a "manager". Contracts then have `ctx.party` and `ctx.roles`.
        """
        founders: list[Value] = [
            [party, party, [given] if isinstance(given, str) else [*given], [account(party)]]
            for party, given in roles.items()
        ]
        self.deploy("parties", dict(system_sources())["parties"], [founders])

    def refusal(self, sender: str, contract: str, method: str, *args: Value) -> str:
        """Why a call fails that has to: the text of its require() or fail(), or the error's name.

        Raises CallFailed if it succeeds.
        """
        receipt = self.call(sender, contract, method, *args)
        if receipt.status == 0:
            raise CallFailed(f"{contract}.{method} succeeded; it was to be refused")
        return receipt.detail or receipt.error

    def transaction(
        self, sender: str, contract: str, method: str, args: Sequence[Value], gas_limit: int
    ) -> Call:
        return super().transaction(address(sender), contract, method, args, gas_limit)

    def view(self, sender: str, contract: str, method: str, *args: Value) -> Value:
        return super().view(address(sender), contract, method, *args)


def address(sender: str) -> str:
    """The account with the name `sender`, which may be an address or `contract:NAME` already."""
    return sender if _ADDRESS.fullmatch(sender) else account(sender)


def _text(source: str | Path) -> str:
    return source.read_text(encoding="utf-8") if isinstance(source, Path) else source


def _succeeded(receipt: Receipt, what: str) -> Receipt:
    if receipt.status != 0:
        raise CallFailed(f"{what}: {receipt.error}: {receipt.detail}")
    return receipt
