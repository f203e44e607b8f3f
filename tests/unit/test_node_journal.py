"""The journal: what was appended is there again, a torn tail is not, other damage is an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.model import Transaction
from node.journal import Journal, JournalDamaged, JournalFailed, Recovered

BODY = Transaction(b"body", bytes(64))


def recovered(folder: Path) -> Recovered:
    journal = Journal(folder)
    journal.close()
    return journal.recovered


def entries(*records: bytes) -> list[tuple[list[Transaction], bytes]]:
    return [([], record) for record in records]


def test_records_and_bodies_are_there_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append([([BODY], b"first")])
    journal.append(entries(b"second", b"third"))
    journal.close()
    again = recovered(tmp_path)
    assert again.records == (b"first", b"second", b"third")
    assert again.transactions == (BODY,)


@pytest.mark.parametrize("cut", range(1, 25))
def test_a_torn_tail_is_cut_and_the_journal_goes_on(tmp_path: Path, cut: int) -> None:
    journal = Journal(tmp_path)
    journal.append(entries(b"kept", b"the last record is torn"))
    journal.close()
    path = next(tmp_path.glob("*.log"))
    path.write_bytes(path.read_bytes()[:-cut])
    again = Journal(tmp_path)
    assert again.recovered.records == (b"kept",)
    again.append(entries(b"new"))
    again.close()
    assert recovered(tmp_path).records == (b"kept", b"new")


def test_compaction_keeps_just_what_is_given(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(entries(b"old", b"older"))
    journal.compact([([BODY], b"live")])
    journal.append(entries(b"new"))
    journal.close()
    again = recovered(tmp_path)
    assert again.records == (b"live", b"new")
    assert len(list(tmp_path.glob("*.log"))) == 1


def test_a_crash_between_the_segments_of_a_compaction_loses_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(entries(b"old"))
    old = next(tmp_path.glob("*.log")).read_bytes()
    journal.compact(entries(b"live"))
    journal.close()
    (tmp_path / "0000000001.log").write_bytes(old)
    assert recovered(tmp_path).records == (b"old", b"live")


def test_damage_before_what_was_written_later_is_an_error(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    for number in range(4):
        journal.append(entries(b"vote %d" % number))
    journal.close()
    path = next(tmp_path.glob("*.log"))
    whole = path.read_bytes()
    synced = whole.rindex(b"vote 3") - 40  # well before the last group
    for place in range(0, synced, 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        with pytest.raises(JournalDamaged, match="byte"):
            Journal(tmp_path)


def test_damage_in_a_compacted_segment_is_an_error(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.compact(entries(b"live one", b"live two"))
    journal.close()
    path = next(tmp_path.glob("*.log"))
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 3] ^= 1
    path.write_bytes(bytes(damaged))
    with pytest.raises(JournalDamaged, match="byte"):
        Journal(tmp_path)


def test_damage_before_the_newest_segment_is_an_error(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(entries(b"old"))
    damaged = bytearray(next(tmp_path.glob("*.log")).read_bytes())
    journal.compact(entries(b"live"))
    journal.close()
    damaged[-1] ^= 1
    (tmp_path / "0000000001.log").write_bytes(bytes(damaged))
    with pytest.raises(JournalDamaged, match="byte"):
        Journal(tmp_path)


def test_a_disk_that_takes_no_record_fails_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a failed sync nobody knows what the disk holds: a later success would prove nothing."""
    journal = Journal(tmp_path)
    journal.append(entries(b"kept"))

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("node.journal.os.fdatasync", fail)
        with pytest.raises(JournalFailed, match="No space left"):
            journal.append(entries(b"lost"))
    with pytest.raises(JournalFailed, match="before"):
        journal.append(entries(b"too late"))
    with pytest.raises(JournalFailed, match="before"):
        journal.compact(entries(b"too late"))
    journal.close()
    assert recovered(tmp_path).records[0] == b"kept"
    assert b"too late" not in recovered(tmp_path).records


def test_a_compaction_that_fails_leaves_the_journal_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path)
    journal.append(entries(b"first", b"second"))

    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("node.journal.os.fsync", fail)
        with pytest.raises(JournalFailed, match="compacted"):
            journal.compact(entries(b"live"))
    journal.close()
    assert recovered(tmp_path).records == (b"first", b"second")


def test_what_must_be_kept_anyway_is_not_rewritten_at_every_append(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.journal.ROTATE_SIZE", 1000)
    journal = Journal(tmp_path)
    journal.append(entries(bytes(1000)))
    assert journal.wants_compaction
    journal.compact(entries(bytes(1500)))
    assert not journal.wants_compaction, "all of it is live"
    journal.append(entries(bytes(1000)))
    assert not journal.wants_compaction
    journal.append(entries(bytes(1000)))
    assert journal.wants_compaction
    journal.close()


def test_what_was_taken_over_is_forgotten(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append([([BODY], b"record")])
    journal.close()
    again = Journal(tmp_path)
    assert again.recovered.records == (b"record",)
    again.release()
    assert again.recovered == Recovered((), ())
    again.close()
    assert recovered(tmp_path).records == (b"record",), "on disk it stays"
