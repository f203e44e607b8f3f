"""A folder as one batch of evidence: read once, gone on with, recorded, and each file proved."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from cli import folder as folders
from cli.folder import FORMAT, Head, Manifest, files_in, load_manifest, read_manifest, take_in
from cli.main import main
from cli.output import CommandRefused
from client.batch import SALTED, digest_of
from client.errors import Refused
from crypto import sm3
from ledger.merkle import path, root_of
from ledger.values import Value
from tests.business import Business
from tests.fake_session import FakeSession, opened

FILES = {"b.csv": b"beta", "a/1.csv": b"one", "a/2.csv": b"two", "a/empty": b"", "zz": b"last"}
ORDER = ["a/1.csv", "a/2.csv", "a/empty", "b.csv", "zz"]
WORDS = ["--kind", "development.process", "--subject", "t-1"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "logs"
    for name, content in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def silent(done: int, total: int | None) -> None:
    """Progress that nobody watches."""


def taken(folder: Path, *, salting: str = "plain", names: list[str] | None = None) -> Manifest:
    head = Head(FORMAT, "e-1", salting, str(folder))
    return take_in(folder, manifest_of(folder), head, names or files_in(folder, 100), silent)


def manifest_of(folder: Path) -> Path:
    return folder.parent / "e-1.batch"


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises(CommandRefused) as refused:
        act()
    return refused.value.code


# --- what is read ---------------------------------------------------------------------------------


def test_files_are_taken_in_the_order_of_their_paths_and_their_root_is_that_of_a_list_tree(
    folder: Path,
) -> None:
    batch = taken(folder)
    assert [entry.file for entry in batch.entries] == ORDER
    assert batch.root() == root_of([sm3.digest(FILES[name]) for name in ORDER])


def test_salted_files_have_a_salt_each_and_digests_that_tell_nothing(folder: Path) -> None:
    (folder / "zz").write_bytes(b"one")
    batch = taken(folder, salting=SALTED)
    salts = [bytes.fromhex(entry.salt) for entry in batch.entries]
    assert len(set(salts)) == len(ORDER) and {len(salt) for salt in salts} == {32}
    for entry, salt in zip(batch.entries, salts, strict=True):
        content = (folder / entry.file).read_bytes()
        assert entry.digest == sm3.digest(salt + content).hex()
    assert len({entry.digest for entry in batch.entries}) == len(ORDER)


def test_the_manifest_is_whole_and_of_its_owner_alone(folder: Path) -> None:
    batch = taken(folder, salting=SALTED)
    assert load_manifest(manifest_of(folder)) == batch
    assert manifest_of(folder).stat().st_mode & 0o777 == 0o600
    assert {path.name for path in folder.parent.iterdir()} == {"logs", "e-1.batch"}


def test_links_and_devices_are_refused_and_not_left_out(folder: Path) -> None:
    (folder / "a" / "link").symlink_to(folder / "zz")
    assert refusal(lambda: files_in(folder, 100)) == "folder.file"
    (folder / "a" / "link").unlink()
    (folder / "around").symlink_to(folder, target_is_directory=True)
    assert refusal(lambda: files_in(folder, 100)) == "folder.file"
    (folder / "around").unlink()
    os.mkfifo(folder / "pipe")
    assert refusal(lambda: files_in(folder, 100)) == "folder.file"


def test_a_name_that_is_no_text_an_empty_folder_and_too_many_files_are_refused(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "none").mkdir()
    assert refusal(lambda: files_in(tmp_path / "none", 100)) == "folder.empty"
    assert refusal(lambda: files_in(folder, 4)) == "folder.large"
    (folder / "caf\udce9").write_bytes(b"")
    assert refusal(lambda: files_in(folder, 100)) == "folder.name"


def test_a_file_that_changes_while_it_is_read_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def growing(salt: bytes, parts: object) -> bytes:
        with (folder / "a" / "1.csv").open("ab") as file:
            file.write(b"more")
        return bytes(32)

    monkeypatch.setattr(folders, "digest_of", growing)
    assert refusal(lambda: taken(folder)) == "folder.changing"


# --- going on -------------------------------------------------------------------------------------


def counted(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """A list to which each file that is read adds its digest."""
    read: list[bytes] = []

    def counting(salt: bytes, parts: object) -> bytes:
        assert hasattr(parts, "__iter__")
        read.append(digest_of(salt, parts))
        return read[-1]

    monkeypatch.setattr(folders, "digest_of", counting)
    return read


def test_what_was_read_before_a_kill_is_not_read_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = taken(folder, salting=SALTED)
    manifest = manifest_of(folder)
    lines = manifest.read_bytes().splitlines(keepends=True)
    head = msgspec.json.encode(msgspec.structs.replace(whole.head, root="")) + b"\n"
    part = manifest.with_name("e-1.batch.part")
    for kept in range(len(ORDER) + 1):
        for torn in (b"", b'{"file":"b.c', b'{"file":"\xff'):
            manifest.unlink(missing_ok=True)
            part.write_bytes(head + b"".join(lines[1 : 1 + kept]) + torn)
            read = counted(monkeypatch)
            again = taken(folder, salting=SALTED)
            assert len(read) == len(ORDER) - kept
            assert list(again.entries[:kept]) == list(whole.entries[:kept])
            assert load_manifest(manifest) == again
            assert not part.exists()


def interrupted(folder: Path) -> None:
    """What a command leaves that was killed after the last file."""
    whole = taken(folder)
    manifest = manifest_of(folder)
    lines = manifest.read_bytes().splitlines(keepends=True)
    head = msgspec.json.encode(msgspec.structs.replace(whole.head, root="")) + b"\n"
    manifest.unlink()
    manifest.with_name("e-1.batch.part").write_bytes(b"".join([head, *lines[1:]]))


def test_a_whole_manifest_is_replaced_by_nothing_else_as_its_root_may_be_on_its_way(
    folder: Path,
) -> None:
    """A transaction that nobody waited for may be included later, and needs these salts."""
    taken(folder, salting=SALTED)
    before = manifest_of(folder).read_bytes()
    assert taken(folder, salting=SALTED) == load_manifest(manifest_of(folder))
    (folder / "b.csv").write_bytes(b"BETA")
    assert refusal(lambda: taken(folder, salting=SALTED)) == "manifest.kept"
    assert manifest_of(folder).read_bytes() == before


def test_what_changed_since_is_read_again_and_what_is_gone_is_left_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(folder)
    (folder / "b.csv").write_bytes(b"BETA")
    (folder / "zz").unlink()
    read = counted(monkeypatch)
    batch = taken(folder)
    assert read == [sm3.digest(b"BETA")]
    assert [entry.file for entry in batch.entries] == ORDER[:-1]


def test_the_manifest_of_another_batch_is_not_written_over(folder: Path, tmp_path: Path) -> None:
    taken(folder)
    before = manifest_of(folder).read_bytes()
    assert refusal(lambda: taken(folder, salting=SALTED)) == "manifest.other"
    assert manifest_of(folder).read_bytes() == before


# --- manifests that are none ----------------------------------------------------------------------

HEAD = b'{"format":"shuxin-batch/1","evidence":"e","salting":"plain","folder":"/f","root":""}\n'
ENTRY = b'{"file":"a","bytes":1,"mtime_ns":1,"ctime_ns":1,"digest":"%s","salt":""}\n'


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"no json\n", "manifest.format"),
        (b"[]\n", "manifest.format"),
        (b"\xff\xfe\n", "manifest.format"),
        (b"[" * 3000 + b"\n", "manifest.format"),
        (b'{"format":"shuxin-batch/1"}\n', "manifest.format"),
        (HEAD.replace(b"batch/1", b"batch/2"), "manifest.format"),
        (HEAD + b'{"file":"a"}\n', "manifest.format"),
        (HEAD + b"x" * 70_000 + b"\n", "manifest.format"),
        (HEAD + ENTRY % b"ab", "manifest.damaged"),
        (HEAD + ENTRY % (b"AB" * 32), "manifest.damaged"),
        (HEAD + (ENTRY % (b"ab" * 32)).replace(b'"salt":""', b'"salt":"00"'), "manifest.damaged"),
        (HEAD + ENTRY % (b"ab" * 32), "manifest.damaged"),
        (HEAD, "manifest.damaged"),
        (b"", "manifest.damaged"),
    ],
)
def test_what_is_no_manifest_is_refused(tmp_path: Path, data: bytes, code: str) -> None:
    place = tmp_path / "m"
    place.write_bytes(data)
    assert refusal(lambda: load_manifest(place)) == code


def test_an_altered_line_of_a_manifest_is_found_by_its_root(folder: Path) -> None:
    taken(folder)
    place = manifest_of(folder)
    good = place.read_bytes()
    digest = sm3.digest(b"two").hex().encode()
    place.write_bytes(good.replace(digest, sm3.digest(b"too").hex().encode()))
    assert refusal(lambda: load_manifest(place)) == "manifest.damaged"
    lines = good.splitlines(keepends=True)
    place.write_bytes(b"".join([lines[0], lines[2], lines[1], *lines[3:]]))
    assert refusal(lambda: load_manifest(place)) == "manifest.damaged"


# --- the command ----------------------------------------------------------------------------------


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeSession:
    monkeypatch.chdir(tmp_path)
    return opened(monkeypatch)


def recorded(session: FakeSession) -> list[tuple[Value, ...]]:
    return [args for _contract, method, args in session.calls if method == "record_batch"]


def test_a_folder_goes_on_record_as_one_batch(
    session: FakeSession, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evidence", "record-folder", "e-1", str(folder), *WORDS, "--plain", "--json"]
    assert main([*words, "--location", "archive 7", "--note", "n"]) == 0
    told = json.loads(capsys.readouterr().out)
    root = root_of([sm3.digest(FILES[name]) for name in ORDER])
    assert recorded(session) == [
        ("e-1", "development.process", "t-1", root, 5, "plain", "archive 7", "n")
    ]
    assert (told["files"], told["digest"], told["status"]) == (5, root.hex(), "ok")
    assert load_manifest(Path(told["manifest"])).root() == root


def test_files_are_salted_unless_it_is_said_otherwise(session: FakeSession, folder: Path) -> None:
    assert main(["evidence", "record-folder", "e-1", str(folder), *WORDS]) == 0
    assert recorded(session)[0][5] == "salted"


def test_a_batch_that_is_on_record_is_not_read_again_and_its_salts_are_kept(
    session: FakeSession, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evidence", "record-folder", "e-1", str(folder), *WORDS]
    assert main(words) == 0
    place = tmp_path / "e-1.batch"
    before, root = place.read_bytes(), load_manifest(place).root()
    session.answers = {"evidence.show": {"id": "e-1", "digest": root, "height": 7}}
    (folder / "b.csv").write_bytes(b"changed since")
    assert main(words) == 0
    session.answers = {"evidence.show": {"id": "e-1", "digest": bytes(32), "height": 7}}
    assert main(words) == 1
    assert "evidence.exists" in capsys.readouterr().err
    assert place.read_bytes() == before
    assert len(recorded(session)) == 1


def test_a_manifest_within_the_folder_is_refused(
    session: FakeSession, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evidence", "record-folder", "e-1", str(folder), *WORDS]
    assert main([*words, "--manifest", str(folder / "a" / "m")]) == 1
    assert "manifest.inside" in capsys.readouterr().err
    assert session.calls == []


def test_the_contract_holds_each_file_by_the_way_that_its_manifest_gives(folder: Path) -> None:
    business = Business()
    batch = taken(folder, salting=SALTED)
    words: list[Value] = ["e-1", "development.process", "t-1", batch.root(), len(ORDER), "salted"]
    business.do("opco", "evidence", "record_batch", *words, "", "")
    digests = batch.digests()
    for index, digest in enumerate(digests):
        siblings: list[Value] = [*path(digests, index).siblings]
        asked: list[Value] = ["e-1", index, digest, siblings]
        assert business.ask("bank", "evidence", "holds", *asked) is True
    asked[2] = digests[0]
    assert business.ask("bank", "evidence", "holds", *asked) is False


def test_a_node_that_refuses_for_another_reason_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session = opened(monkeypatch)

    def view(contract: str, method: str, *args: Value) -> Value:
        raise Refused("refused", "evidence.role: sign with an account of an active party")

    monkeypatch.setattr(session, "view", view)
    assert main(["evidence", "record-folder", "e-1", str(folder), *WORDS]) == 1
    assert "evidence.role" in capsys.readouterr().err


def test_the_longest_name_fits_a_line_however_it_is_written(folder: Path) -> None:
    """JSON writes a control character as six bytes."""
    (folder / ("\x01" * 255)).write_bytes(b"x")
    batch = taken(folder)
    assert load_manifest(manifest_of(folder)) == batch
    entry = msgspec.structs.replace(batch.entries[0], file="\x01" * 4095)
    assert len(msgspec.json.encode(entry)) < folders.LINE_MAX


def test_a_manifest_that_is_read_while_it_grows_has_its_whole_lines(tmp_path: Path) -> None:
    place = tmp_path / "m"
    place.write_bytes(HEAD + ENTRY % (b"ab" * 32) + (ENTRY % (b"cd" * 32))[:-1])
    found = read_manifest(place)
    assert found is not None and [entry.digest for entry in found.entries] == ["ab" * 32]
