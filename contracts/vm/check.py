"""`check_source`: all that is wrong with a contract's text, without running any of it (8.1.5c)."""

from __future__ import annotations

from contracts.vm.compile import check
from contracts.vm.features import LATEST
from contracts.vm.rules import Finding

__all__ = ["Finding", "check_source"]


def check_source(text: str, language: int = LATEST) -> list[Finding]:
    """Findings in order of position; the contract is deployable iff none is an error.

    `language` is that of the chain which is to run it. Raises LanguageUnknown.
    """
    findings, _ = check(text, language)
    return list(findings)
