"""Placeholder until the governance branch is merged."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.vm.host import StateReader
from ledger.model import ValidatorSet


@dataclass(frozen=True, slots=True)
class DecidedCommittee:
    first_height: int
    validators: ValidatorSet


def committee_of(reader: StateReader) -> DecidedCommittee | None:
    return None
