"""An auditor's questions, answered from what a replay verified and from nothing else (5.3d).

`acts`: every act under the filters. `access`: who was let in on what, who received what. `custody`:
where a product comes from. `books`: jobs, agreements and bills, and what
contradicts them. The answers are files in a folder; `answers.json` names each with its
digest beside the replay that stands behind them, and a signature over it covers all.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum

from ledger.store import Store
from node.audit.acts.access import UNKNOWABLE, Access, accesses
from node.audit.acts.act import Act, Reader
from node.audit.acts.custody import Builder, belongs, chain_of, fields_of
from node.audit.acts.forms import DATASET, GRANT, PRODUCT, Subject
from node.audit.acts.graph import Custody
from node.audit.acts.links import Link, links_of
from node.audit.acts.register import Register
from node.audit.books.books import Books
from node.audit.books.kept import Kept
from node.audit.files import Files
from node.audit.page import PAGE_ROWS_MAX
from node.audit.parts import MOMENT_MAX_MS
from node.audit.tables.acts import (
    ACCESS,
    ANSWERED_ACTS,
    CUSTODY,
    LINKS,
    access_row,
    answered_row,
    custody_rows,
    link_rows,
)
from node.audit.tables.books import BOOKS, CONTRADICTIONS, book_rows
from node.audit.tables.columns import Row


class Question(StrEnum):
    ACTS = "acts"
    ACCESS = "access"
    CUSTODY = "custody"
    BOOKS = "books"


class QuestionRefused(Exception):
    """Nothing can be answered; says why and what to do."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which questions, about what. Empty: about all. A period is [from, to): Unix ms of blocks.

    `party` is a party's id or name, or the address of an account.
    """

    questions: tuple[Question, ...]
    grant: str = ""
    party: str = ""
    dataset: str = ""
    product: str = ""
    from_ms: int | None = None
    to_ms: int | None = None

    def __post_init__(self) -> None:
        for time_ms in (self.from_ms, self.to_ms):
            if time_ms is not None and not 0 <= time_ms <= MOMENT_MAX_MS:
                raise QuestionRefused("--from and --to take moments of the years 1970 to 9999")
        if self.from_ms is not None and self.to_ms is not None and self.from_ms >= self.to_ms:
            raise QuestionRefused("the period is empty: --from must be before --to")
        if Question.CUSTODY in self.questions and not self.product:
            raise QuestionRefused("custody is that of a product: name it with --product")

    @property
    def subjects(self) -> tuple[Subject, ...]:
        named = ((GRANT, self.grant), (DATASET, self.dataset), (PRODUCT, self.product))
        return tuple((kind, name) for kind, name in named if name)

    def holds_at(self, time_ms: int) -> bool:
        """Is a block of that time within the period?"""
        after = self.from_ms is None or self.from_ms <= time_ms
        return after and (self.to_ms is None or time_ms < self.to_ms)

    def concerns(self, act: Act) -> bool:
        """Is the act about every subject that was named, and within the period?"""
        return self.holds_at(act.time_ms) and all(map(act.concerns, self.subjects))

    def is_by(self, act: Act) -> bool:
        return self.party in ("", act.by.party, act.by.name, act.sender)

    def is_of(self, kept: Kept, register: Register) -> bool:
        """Is a record about all that was named, by the party, and was it alive in the period?"""
        about = {kept.subject, *kept.about}
        is_in_time = self.from_ms is None or self.from_ms <= kept.last_ms
        is_in_time = is_in_time and (self.to_ms is None or kept.made.time_ms < self.to_ms)
        is_by = not self.party or any(
            names_party(self.party, party, register) for party in kept.parties
        )
        return is_in_time and is_by and about.issuperset(self.subjects)

    def is_with(self, access: Access, register: Register) -> bool:
        """Did the party that was named give or receive it?"""
        return not self.party or any(
            name and (name == self.party or names_party(self.party, name, register))
            for name in access.parties
        )


def names_party(word: str, party: str, register: Register) -> bool:
    """Does an id, a name or the address of an account stand for that party?"""
    known = register.parties.get(party)
    return (
        word == party
        or (known is not None and word == known.name)
        or (register.party_of(word) == party)
    )


@dataclass(slots=True)
class Answers:
    """What the page shows: the first rows of each table, and how many there are."""

    acts: list[Act] = field(default_factory=list)
    access: list[Access] = field(default_factory=list)
    acts_count: int = 0
    access_count: int = 0
    custody: Custody | None = None
    books: dict[str, list[Row]] = field(default_factory=dict)  # by name of the table
    books_count: dict[str, int] = field(default_factory=dict)

    def missing(self) -> tuple[Link, ...]:
        """Of the chain of custody."""
        links = links_of(self.custody) if self.custody is not None else ()
        return tuple(link for link in links if not link.holds)

    def contradictions(self) -> list[str]:
        """What was said of jobs, agreements and bills, and is not so; the first ones."""
        column = [column.name for column in CONTRADICTIONS.columns].index("says")
        return [str(row[column]) for row in self.books.get(CONTRADICTIONS.name, ())]


def answer(again: Store, height: int, asked: Asked, files: Files) -> Answers:
    """Answer from the ledger of a replay, whose blocks hold up to `height`.

    Two passes over it where the custody of a product is asked for. Raises QuestionRefused for ids
    that no act names.
    """
    found = Answers()
    reader = Reader(again, height)
    unnamed = set(asked.subjects)
    is_known = not asked.party
    if Question.ACTS in asked.questions:
        files.begin(ANSWERED_ACTS)
    if Question.ACCESS in asked.questions:
        files.begin(ACCESS)
    books = Books(reader) if Question.BOOKS in asked.questions else None
    for act, given in accesses(reader):
        if books is not None:
            books.add(act)
        unnamed.difference_update(act.direct)
        is_known = is_known or asked.is_by(act)
        if not asked.concerns(act):
            continue
        if Question.ACTS in asked.questions and asked.is_by(act):
            _note_act(found, act, files)
        if Question.ACCESS in asked.questions:
            for access in given:
                if asked.is_with(access, reader.register):
                    _note_access(found, access, files)
    register = reader.register
    is_known = is_known or any(names_party(asked.party, one, register) for one in register.parties)
    _require_known(asked, unnamed, is_known=is_known, height=height)
    if Question.CUSTODY in asked.questions:
        found.custody = _custody(again, height, asked.product, reader)
        files.fill(CUSTODY, custody_rows(found.custody))
        files.fill(LINKS, link_rows(found.custody))
    if books is not None:
        _tell_books(found, books, asked, register, again.header(height).time_ms, files)
    return found


def _tell_books(
    found: Answers, books: Books, asked: Asked, register: Register, now_ms: int, files: Files
) -> None:
    def wanted(kept: Kept) -> bool:
        return asked.is_of(kept, register)

    for table in BOOKS:
        rows = list(book_rows(books, table, now_ms, wanted))
        files.fill(table, rows)
        found.books[table.name] = rows[:PAGE_ROWS_MAX]
        found.books_count[table.name] = len(rows)


def _note_act(found: Answers, act: Act, files: Files) -> None:
    files.add(ANSWERED_ACTS, answered_row(act))
    found.acts_count += 1
    if len(found.acts) < PAGE_ROWS_MAX:
        found.acts.append(act)


def _note_access(found: Answers, access: Access, files: Files) -> None:
    files.add(ACCESS, access_row(access))
    found.access_count += 1
    if len(found.access) < PAGE_ROWS_MAX:
        found.access.append(access)


def _require_known(asked: Asked, unnamed: set[Subject], *, is_known: bool, height: int) -> None:
    for kind, name in sorted(unnamed):
        raise QuestionRefused(
            f"no act up to block {height} names a {kind} {name[:80]!r}: look the id up in the "
            "table of acts, or replay a newer archive"
        )
    if not is_known:
        raise QuestionRefused(
            f"{asked.party[:80]!r} is no party and no account that acted up to block {height}: "
            "give a party's id or name, or the address of an account"
        )


def _custody(again: Store, height: int, product: str, reader: Reader) -> Custody:
    if product not in reader.lineage.products:
        raise QuestionRefused(
            f"up to block {height} the product {product[:80]!r} was never registered, so it has no "
            "custody; `--question acts` shows the refused acts that name it"
        )
    chain = chain_of(product, reader.lineage)
    builder = Builder(product, chain, reader.lineage.accounts)
    again_read = Reader(again, height)
    for act in again_read.acts():
        if belongs(act, chain):
            builder.add(act, again_read.register)
    return builder.custody


def custody_json(custody: Custody) -> bytes:
    """`custody.tree.json`: nodes, edges, and the links that hold or are missing."""
    links = [
        {
            "name": link.name,
            "holds": link.holds,
            "says": link.says,
            "transactions": link.transactions,
        }
        for link in links_of(custody)
    ]
    content = {**fields_of(custody), "links": links, "cannot_be_known": list(UNKNOWABLE)}
    return json.dumps(content, ensure_ascii=False, indent=1).encode() + b"\n"
