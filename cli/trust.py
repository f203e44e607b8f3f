"""What a command trusts, and how it tells what it verified: the command line's light client.

The trusted genesis is, first come: --genesis, `genesis` in client.toml, genesis.json of the home,
what an earlier command pinned in the home, or else what the node sends (trust on first use, said
so). In the folder `trust` of the home each chain has a file of what was verified so far.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cli.language import heading, say
from cli.output import Answer, CommandRefused, Fields, Json, note
from cli.translated import translated

if TYPE_CHECKING:
    from cli.options import Invocation
    from client.light.connection import Findings, VerifyingConnection
    from client.light.errors import ForkSeen
    from client.light.follower import Follower
    from client.light.trusted import Trusted
    from client.light.vault import Vault
    from ledger.bundle import Certified
    from ledger.recovery import Recovery

TRUST_FOLDER = "trust"


@dataclass(slots=True)
class Verification:
    """What one command verified; filled while it runs."""

    findings: Findings | None = None  # of the connection that checked
    believed: str = ""  # the nodes that were believed because nothing was to be verified

    def sentence(self) -> tuple[bool, str] | None:
        """Whether the answer is proved, and in one line how; None: no node was asked for one."""
        if self.believed:
            return False, say(
                "--no-verify was given: all of this is the word of {nodes}", nodes=self.believed
            )
        if self.findings is None:
            return None
        if self.findings.said:
            return False, translated(next(iter(self.findings.said.values())))
        if self.findings.proved:
            return True, _proved(self.findings.proved)
        if self.findings.is_genesis:
            return True, say("block 0 is what the trusted genesis makes")
        return None

    def told_with(self, answer: Answer, *, as_json: bool) -> Answer:
        """`answer` with the sentence; beside it, on stderr, where it has no room."""
        found = self.sentence()
        if found is None:
            return answer
        is_proved, sentence = found
        name = "verified" if is_proved else "not verified"
        if not isinstance(answer, Fields):
            note(f"{heading(name)}: {sentence}")
            return answer
        told: dict[str, Json] = {name: sentence}
        if as_json:
            told = {"verified": is_proved, "verification": sentence}
        return replace(answer, values={**answer.values, **told})


def _proved(blocks: list[Certified]) -> str:
    newest = max(blocks, key=lambda block: block.height)
    heights = {block.height for block in blocks}
    which = say("block {height}", height=newest.height)
    if len(heights) > 1:
        which = say("{count} blocks up to {height}", count=len(heights), height=newest.height)
    return say(
        "{blocks}, certified by {signers} of {validators}, {age} old",
        blocks=which,
        signers=len(newest.signers),
        validators=newest.validators,
        age=age_text(max(0.0, time.time() - newest.time_ms / 1000)),
    )


def age_text(seconds: float) -> str:
    """A time span for people."""
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.1f} s"


# --- the connection -------------------------------------------------------------------------


@contextmanager
def verifying(ask: Invocation, *, is_current: bool) -> Iterator[VerifyingConnection]:
    """A connection that checks; what it learned is stored at the end."""
    from client.light.connection import VerifyingConnection
    from client.light.errors import ForkSeen
    from client.light.follower import Follower
    from crypto.providers.software import verify_batch

    vault, trusted, recoveries = _beginning(ask)
    follower = Follower(
        trusted,
        verify_batch,
        now_ms=_now_ms,
        age_ms_max=None if ask.max_age is None else ask.max_age * 1000,
        recoveries=recoveries,
    )
    with ask.opened(trusted.chain_id) as node:
        checking = VerifyingConnection(node, follower, verify_batch, is_current=is_current)
        ask.verification.findings = checking.findings
        try:
            try:
                yield checking
            finally:
                _keep(vault, follower)
        except ForkSeen as fork:
            raise _fork_refused(vault, fork) from None


def _keep(vault: Vault | None, follower: Follower) -> None:
    if vault is None:
        return
    try:
        vault.save(follower.trusted)
    except OSError as error:
        told = say("what was verified cannot be kept in {file}", file=vault.path)
        note(f"{told}: {error.strerror}")


def _fork_refused(vault: Vault | None, fork: ForkSeen) -> CommandRefused:
    kept = "no home to keep the evidence in: run it again with --home FOLDER"
    if vault is not None:
        try:
            kept = f"the evidence is {vault.keep_fork(fork)}; until then this home believes nothing"
        except OSError as error:
            kept = f"the evidence cannot be kept beside {vault.path}: {error.strerror}"
    return CommandRefused(
        "fork_seen",
        f"{fork}. More than a third of the validators lied, or their keys were used by others; "
        f"tell the parties and let them decide ({kept})",
    )


# --- where trust begins ---------------------------------------------------------------------


def _beginning(ask: Invocation) -> tuple[Vault | None, Trusted, Sequence[Recovery]]:
    """What is trusted now, the file to keep it in (None: there is no home), the plans followed."""
    from client.light.vault import Vault

    folder = ask.home / TRUST_FOLDER if ask.is_home else None
    known = _pinned(folder) if folder and ask.genesis_path is None else None
    fresh = known or _begun(ask, folder)
    recoveries = _plans(ask, fresh.chain_id)
    if folder is None:
        return None, fresh, recoveries
    vault = Vault(folder, fresh.chain_id, recoveries)
    return vault, vault.load() or fresh, recoveries


def _pinned(folder: Path) -> Trusted | None:
    """What an earlier command began with, where no genesis is named."""
    from client.light.vault import chains_in, load_any

    known = chains_in(folder)
    if len(known) > 1:
        raise CommandRefused(
            "genesis.missing",
            f"{folder} knows {len(known)} chains: name the one that is meant with --genesis FILE, "
            "or remove the files of the others",
        )
    return load_any(known[0]) if known else None


def _begun(ask: Invocation, folder: Path | None) -> Trusted:
    """To trust the genesis of a file, or (on first use) the one that the node sends."""
    from client.light.trusted import begin
    from ledger.genesis import chain_id, load_genesis

    path = ask.genesis_path
    if path is not None:
        return begin(load_genesis(path), str(path), _now_ms())
    with ask.opened(None) as node:
        genesis = node.genesis()
    kept = say("from now on ({folder})", folder=folder)
    note(
        say(
            "trusting {held} the genesis that {nodes} sent, chain {chain}: compare that with what "
            "another party has, or name a genesis file with --genesis",
            held=kept if folder else say("for this command only (no home to keep it)"),
            nodes=ask.target,
            chain=chain_id(genesis).hex(),
        )
    )
    return begin(genesis, f"first contact with {ask.target}", _now_ms())


def _plans(ask: Invocation, chain_id: bytes) -> Sequence[Recovery]:
    """The recovery plans that the home names: one's own choice, as the genesis is.

    Whether the signers may decide it only the state of the plan's block tells, which nodes check.
    Raises RecoveryInvalid or DecodeError for files that are no plans of this chain.
    """
    from crypto.providers.software import verify_batch
    from ledger.recovery import RECOVERY_SIZE_MAX, decode_recovery, verify_recovery

    plans: list[Recovery] = []
    for path in ask.plan_paths:
        with path.open("rb") as file:
            recovery = decode_recovery(file.read(RECOVERY_SIZE_MAX + 1))
        verify_recovery(recovery, plans, chain_id, verify_batch)
        plans.append(recovery)
    return plans


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
