"""What waits of metering and bills (计量计费): what to meter, to state, to answer and to settle."""

from __future__ import annotations

from collections.abc import Iterator

from client.waiting import Reader, Row, Waiting, number, text, waiting

CONFIRMABLE = ("accepted", "settled", "remitted", "unconfirmed", "denied")


def bills(reader: Reader) -> Iterator[Waiting]:
    """In the order in which a charge goes its way."""
    entries, statements = list(reader.rows("billing", "entries")), list(reader.rows("billing"))
    yield from _to_meter(reader, entries)
    yield from _to_state(reader, entries, statements)
    yield from _to_answer(reader, statements)


def _to_meter(reader: Reader, entries: list[Row]) -> Iterator[Waiting]:
    """For the operator: what is done and on no entry, where a tariff is in force."""
    if "operator" not in reader.roles:
        return
    if not any(text(row, "status") == "effective" for row in reader.rows("tariff")):
        return
    metered = {(text(row, "kind"), text(row, "subject")) for row in entries}
    for contract, status in (("task", "finished"), ("delivery", "accepted")):
        for row in reader.rows(contract):
            name, is_mine = text(row, "id"), text(row, "operator") == reader.party
            if is_mine and text(row, "status") == status and (contract, name) not in metered:
                about = text(row, "product_id" if contract == "delivery" else "grant_id")
                command = f"billing meter-{contract} {name}"
                yield waiting(f"{contract} to meter (计量)", name, about, command)


def _to_state(reader: Reader, entries: list[Row], statements: list[Row]) -> Iterator[Waiting]:
    """For a payee: what was metered since its last statement to the same payer."""
    stated: dict[str, int] = {}
    for row in statements:
        if text(row, "payee") == reader.party:
            payer = text(row, "payer")
            stated[payer] = max(stated.get(payer, 0), number(row, "to_ms"))
    owed: dict[str, int] = {}
    for row in entries:
        payer = text(row, "payer")
        is_new = number(row, "metered_ms") >= stated.get(payer, 0)
        if text(row, "payee") == reader.party and is_new:
            fen = number(row, "units") * number(row, "price_fen")
            owed[payer] = owed.get(payer, 0) + fen
    for payer, fen in owed.items():
        if fen:
            about = _amount(payer, reader.party, fen)
            command = f"billing issue … --payer {payer} --until +0s"
            yield waiting("charges to state (对账)", payer, about, command)


def _to_answer(reader: Reader, statements: list[Row]) -> Iterator[Waiting]:
    for row in statements:
        name, status = text(row, "id"), text(row, "status")
        payee, payer = text(row, "payee"), text(row, "payer")
        about = _amount(payer, payee, number(row, "due_fen"))
        if status in ("issued", "overdue") and payer == reader.party:
            command = f"billing recompute {name}, then: billing accept {name} --total …"
            answer_by_ms = number(row, "answer_by_ms")
            yield waiting("statement to answer (账单)", name, about, command, answer_by_ms)
        if status in ("accepted", "settled") and payer == reader.party:
            command = f"billing remit {name} --digest file:RECEIPT"
            yield waiting("statement to pay (付款)", name, about, command)
        if status in CONFIRMABLE and payee == reader.party:
            command = f"billing confirm {name} --digest file:RECEIPT"
            if status in ("remitted", "unconfirmed"):
                command += f", or: billing deny {name} --reason …"
            confirm_by_ms = number(row, "confirm_by_ms")
            yield waiting("payment to confirm (收款)", name, about, command, confirm_by_ms)
        is_neither = reader.party not in (payee, payer)
        if status in ("denied", "unconfirmed") and is_neither and "manager" in reader.roles:
            command = f"billing conclude {name} --paid|--unpaid --reason …"
            yield waiting("payment to decide on (付款裁定)", name, about, command)
        if status in ("contested", "overdue") and is_neither and "manager" in reader.roles:
            command = f"billing settle {name} --due … --reason …"
            yield waiting("statement to settle (账单)", name, about, command)


def _amount(payer: str, payee: str, fen: int) -> str:
    """Who owes whom how much, in any language."""
    return f"{payer} → {payee} {fen // 100:,}.{fen % 100:02} 元"
