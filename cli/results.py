"""Opens what a finished task left on the chain: three sealed shares become named numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from cli.output import CommandRefused

if TYPE_CHECKING:
    from client.session import Session
    from executors.mpc.results import Result
    from ledger.values import Value

CONTRACT = "task"
FINISHED = "finished"


class _Task(msgspec.Struct, frozen=True):
    id: str
    status: str
    algorithm: str
    program_hash: bytes
    participants: list[tuple[str, str]]
    receiver_key: bytes
    reason: str


class _Report(msgspec.Struct, frozen=True):
    party: str
    program_hash: bytes
    output_commitment: bytes


class _TaskFile(msgspec.Struct, frozen=True):
    """What `task.show` says, as far as it matters here."""

    task: _Task
    program: bytes
    reports: list[_Report]


def open_results(session: Session, task_id: str, *, private: bytes) -> Sequence[Result]:
    """The results of a task whose receiver's key is `private`, for its operator.

    Raises CommandRefused, Refused, NodeUnavailable, ShareInvalid or ProgramInvalid.
    """
    from crypto import sm2, sm3
    from executors.mpc.program import ALGORITHM
    from executors.mpc.reveal import ReportedShare, reveal

    file = _read(session.view(CONTRACT, "show", task_id))
    task = file.task
    if task.status != FINISHED:
        why = f" ({task.reason})" if task.reason else ""
        raise CommandRefused("task.unfinished", f"{task_id} is {task.status}{why}: nothing to open")
    if task.algorithm != ALGORITHM:
        raise CommandRefused("task.algorithm", f"this version opens results of {ALGORITHM} only")
    if sm2.public_key(private) != task.receiver_key:
        raise CommandRefused(
            "task.receiver",
            "its results are sealed to another key: name the receiver's with --receiver NAME",
        )
    if sm3.digest(file.program) != task.program_hash:
        raise CommandRefused("task.program", "the node sent another program than was ordered")
    said = {report.party: report for report in file.reports}
    reported = [
        ReportedShare(
            _share(session, task_id, party), said[party].program_hash, said[party].output_commitment
        )
        for party, _dataset in task.participants
    ]
    return reveal(task_id, file.program, reported, private)


def _share(session: Session, task_id: str, party: str) -> bytes:
    sealed = session.view(CONTRACT, "share", task_id, party)
    if not isinstance(sealed, bytes):
        raise _unexpected("a share is not bytes")
    return sealed


def _read(answer: Value) -> _TaskFile:
    try:
        file = msgspec.convert(answer, _TaskFile, builtin_types=(bytes,))
    except msgspec.ValidationError as error:
        raise _unexpected(str(error)) from None
    reporters = {report.party for report in file.reports}
    if file.task.status == FINISHED and reporters != {party for party, _ in file.task.participants}:
        raise _unexpected("a finished task without all its reports")
    return file


def _unexpected(what: str) -> CommandRefused:
    return CommandRefused(
        "task.answer", f"the node's answer has another form than expected: {what}"
    )
