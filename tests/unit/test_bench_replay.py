"""The chain that `make bench-replay` replays is real: an audit finds nothing wrong with it."""

from __future__ import annotations

from pathlib import Path

from bench.__main__ import evidence_call
from bench.signed_chain import SignedChain
from node import audit


def test_a_chain_signed_in_one_process_is_replayed_whole(tmp_path: Path) -> None:
    chain = SignedChain(tmp_path / "net", threads=2)
    failed = chain.grow(2, 3, "evidence", "record", evidence_call)
    verdict = audit.replay(chain.path, chain.genesis, advance=lambda done, total: None)
    assert failed == 0
    assert verdict.divergence is None, verdict.sentence()
    assert (verdict.height, verdict.certified_height, verdict.transactions) == (2, 2, 6)
    assert verdict.signatures == 6 + 2 * 2 * chain.genesis.validators.quorum
