"""The proof of a file under a batch: whole, it convinces; altered anywhere, it is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.fileproof import check_file, load_file_proof
from cli.folder import FORMAT, Head, Manifest, files_in, take_in
from cli.main import main
from cli.options import Invocation
from cli.output import CommandRefused
from client.batch import (
    PLAIN,
    SALTED,
    FileProof,
    FileProofInvalid,
    check_file_proof,
    decode_file_proof,
    encode_file_proof,
)
from crypto import sm3
from ledger.bundle import BundleInvalid, encode_bundle
from ledger.errors import DecodeError
from ledger.genesis import Genesis, save_genesis
from ledger.merkle import ListPath, path, root_of
from ledger.model import StateWrite
from ledger.values import Value, encode_value
from tests.bundle_world import altered, bundle_of, proofs, state_claim
from tests.ledger_world import World, fake_verify_batch

COUNT = 5
ACCOUNT = "ab" * 20


@dataclass(frozen=True, slots=True)
class Filed:
    """A folder whose files are on record in a chain of one block."""

    folder: Path
    batch: Manifest
    genesis: Genesis
    bundle: bytes

    def proof(self, index: int) -> FileProof:
        entry = self.batch.entries[index]
        way = path(self.batch.digests(), index)
        return FileProof(entry.file, bytes.fromhex(entry.salt), way, self.bundle)

    def file(self, index: int) -> Path:
        return self.folder / self.batch.entries[index].file


def filed_in(root: Path, salting: str, record: list[Value] | None = None) -> Filed:
    folder = root / "logs"
    folder.mkdir(parents=True)
    for number in range(COUNT):
        (folder / f"{number}.log").write_text(f"line {number}\n")
    head = Head(FORMAT, "e-1", salting, str(folder))
    manifest = root / "e-1.batch"
    batch = take_in(folder, manifest, head, files_in(folder, COUNT), lambda done, total: None)
    stored: list[Value] = ["e-1", "development.process", "t-1", batch.root(), "", "operator"]
    stored += [ACCOUNT, 9, 1_699_999_000_000, b"\1" * 32, COUNT, salting, "", ""]
    world = World(root / "ledger")
    key = encode_value(["records", "e-1"])
    world.commit(writes=[StateWrite("evidence", key, encode_value(record or stored))])
    world.certify(1)
    bundle = encode_bundle(bundle_of(world, state_claim(world, "evidence", key)))
    world.store.close()
    return Filed(folder, batch, world.genesis, bundle)


@pytest.fixture(autouse=True)
def signatures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crypto.providers.software.verify_batch", fake_verify_batch)


@pytest.fixture(params=[PLAIN, SALTED])
def filed(request: pytest.FixtureRequest, tmp_path: Path) -> Filed:
    return filed_in(tmp_path, str(request.param))


def test_each_file_is_proved_with_who_put_it_on_record_and_when(filed: Filed) -> None:
    for index in range(COUNT):
        told = check_file(filed.proof(index), filed.file(index), filed.genesis, raw=True)
        assert told["file"] == f"{index}.log"
        record = told["record"]
        assert isinstance(record, dict)
        assert (record["id"], record["party"], record["height"]) == ("e-1", "operator", 9)
        assert f"is one of the {COUNT} things that operator" in str(told["verdict"])


def test_an_altered_file_and_the_proof_of_another_are_refused(filed: Filed) -> None:
    with pytest.raises(FileProofInvalid, match="altered"):
        check_file(filed.proof(1), filed.file(2), filed.genesis, raw=True)
    filed.file(1).write_text("line 1 \n")
    with pytest.raises(FileProofInvalid, match="altered"):
        check_file(filed.proof(1), filed.file(1), filed.genesis, raw=True)


@pytest.mark.parametrize("field", ["salt", "path"])
def test_no_other_field_of_a_proof_convinces(field: str, filed: Filed) -> None:
    good = filed.proof(2)
    way = good.path
    others: dict[str, Sequence[object]] = {
        "salt": [b"\1" * 32] + ([b""] if good.salt else []),
        "path": [
            altered(way, index=0),
            altered(way, index=-1),
            altered(way, size=COUNT + 1),
            altered(way, size=0),
            altered(way, siblings=way.siblings[:-1]),
            altered(way, siblings=(*way.siblings, bytes(32))),
            altered(way, siblings=(b"", *way.siblings[1:])),
            altered(way, siblings=(bytes(32), *way.siblings[1:])),
        ],
    }
    for other in others[field]:
        with pytest.raises(FileProofInvalid):
            check_file(altered(good, **{field: other}), filed.file(2), filed.genesis, raw=True)


def test_an_altered_bundle_and_one_of_something_else_are_refused(tmp_path: Path) -> None:
    filed = filed_in(tmp_path, PLAIN)
    good = filed.proof(0)
    damaged = bytearray(good.bundle)
    for place in range(40, len(damaged), 97):
        damaged[place] ^= 1
        with pytest.raises((BundleInvalid, DecodeError, FileProofInvalid)):
            proof = altered(good, bundle=bytes(damaged))
            check_file(proof, filed.file(0), filed.genesis, raw=True)
        damaged[place] ^= 1
    for other in (proofs().transaction, proofs().absence, proofs().states, proofs().state):
        proof = altered(good, bundle=encode_bundle(other))
        with pytest.raises(FileProofInvalid, match="no batch"):
            check_file(proof, filed.file(0), proofs().genesis, raw=True)


def test_a_single_record_and_one_under_another_key_are_no_batch(tmp_path: Path) -> None:
    root = bytes(32)
    single: list[Value] = ["e-1", "k", "t", root, "", "p", ACCOUNT, 9, 9, root, 0, "plain", "", ""]
    other: list[Value] = ["e-2", *single[1:10], COUNT, *single[11:]]
    for number, record in enumerate((single, other, single[:9])):
        filed = filed_in(tmp_path / str(number), PLAIN, record)
        with pytest.raises(FileProofInvalid, match="no batch"):
            check_file(filed.proof(0), filed.file(0), filed.genesis, raw=True)


def test_a_way_of_another_length_is_refused_before_it_is_walked() -> None:
    digests = [sm3.digest(bytes([number])) for number in range(COUNT)]
    root = bytes(root_of(digests))
    proof = FileProof("f", b"", path(digests, 0), b"")
    check_file_proof(proof, digests[0], root=root, size=COUNT, salting=PLAIN)
    with pytest.raises(FileProofInvalid, match="5 digests; the batch has 4"):
        check_file_proof(proof, digests[0], root=root, size=4, salting=PLAIN)


# --- its bytes ------------------------------------------------------------------------------------

PROOF = FileProof("a/b", b"\1" * 32, ListPath(0, 2, (bytes(32),)), b"bundle")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"shuxin/fileproof/2\0",
        encode_bundle(proofs().state),
        encode_file_proof(PROOF)[:-1],
        encode_file_proof(PROOF) + b"\0",
        encode_file_proof(altered(PROOF, salt=b"\1")),
        encode_file_proof(altered(PROOF, name="n" * 4097)),
    ],
)
def test_bytes_that_are_no_proof_are_refused_by_the_name_of_their_file(
    data: bytes, tmp_path: Path
) -> None:
    (tmp_path / "proof").write_bytes(data)
    with pytest.raises(DecodeError, match="proof"):
        load_file_proof(tmp_path / "proof")


def test_a_proof_is_what_its_bytes_say() -> None:
    assert decode_file_proof(encode_file_proof(PROOF)) == PROOF


# --- the commands ---------------------------------------------------------------------------------


def test_a_proof_is_made_with_the_manifest_and_checked_without_a_node(
    filed: Filed,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    @contextmanager
    def connection(ask: Invocation) -> Iterator[None]:
        yield None

    monkeypatch.setattr(Invocation, "connection", connection)
    monkeypatch.setattr("cli.evidence.trusted_genesis", lambda ask, node: (filed.genesis, "mine"))
    monkeypatch.setattr("cli.fileproof.prove_evidence", lambda *_: _decoded(filed.bundle))
    save_genesis(filed.genesis, tmp_path / "genesis.json")
    manifest, file, proof = str(tmp_path / "e-1.batch"), filed.file(3), str(tmp_path / "proof")
    assert main(["evidence", "prove-file", manifest, str(file), "--output", proof]) == 0
    checked = ["evidence", "check-file", proof, str(file), "--genesis"]
    capsys.readouterr()
    assert main([*checked, str(tmp_path / "genesis.json"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["file"] == "3.log"
    moved = file.rename(tmp_path / "moved")
    words = ["evidence", "prove-file", manifest, str(moved), "--output", proof]
    assert main(words) == 1
    assert "folder.unknown" in capsys.readouterr().err
    assert main([*words, "--name", "3.log"]) == 0
    assert main([*words, "--name", "2.log"]) == 1
    assert "folder.altered" in capsys.readouterr().err


def _decoded(data: bytes) -> object:
    from ledger.bundle import decode_bundle

    return decode_bundle(data)


def test_a_file_is_found_by_the_end_of_its_path(filed: Filed) -> None:
    from cli.folder import entry_of

    assert entry_of(filed.batch, filed.file(4), "") == 4
    assert entry_of(filed.batch, Path("/elsewhere/4.log"), "") == 4
    with pytest.raises(CommandRefused, match="--name"):
        entry_of(filed.batch, Path("/elsewhere/44.log"), "")
