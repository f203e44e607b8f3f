"""docs/acts.md is what contracts, commands and tests say; no clause lacks one of the three."""

from __future__ import annotations

import pytest

from tests.standard import acts


def test_the_page_is_what_make_reference_writes() -> None:
    assert acts.PAGE.read_text(encoding="utf-8") == acts.render(), "run `make reference`"


@pytest.mark.parametrize("clause", acts.clauses())
def test_every_clause_has_an_act_a_command_and_a_test(clause: str) -> None:
    assert acts.acts_of(clause), "no method of a contract names it, and no test of it calls one"
    assert acts.commands_of(clause), "nobody can keep it from the command line"
    assert acts.tests()[clause], "nothing shows it"


def test_ranges_and_items_of_clauses_are_read() -> None:
    assert acts.cited_in("every stage (8.6.2a to 8.6.5a)") == {
        "8.6.2a", "8.6.3a", "8.6.4a", "8.6.5a",
    }  # fmt: skip
    assert acts.cited_in("prices (6.6.1c), and 8.2.6d") == {"6.6.1"}
    assert acts.cited_in("6.2 b is written apart") == {"6.2b"}
