"""A folder of files as one batch of evidence: their digests in order, kept in a manifest.

The manifest is a text of JSON lines: a head, then one line for each file. While files are read it
grows as NAME.part, so that a killed command goes on where it was; NAME is whole, with the root. It
holds the salts: without it nobody can prove a file, and with it anybody may guess at files, so its
mode is 0600. Files that did not change since are not read again, judged by size and times: the
manifest is its owner's, who would deceive nobody else.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, TypeVar

import msgspec

from cli.output import CommandRefused
from client.batch import NAME_MAX, SALT_SIZE, SALTED, digest_of

if TYPE_CHECKING:
    from cli.output import Advance

FORMAT: Final = "shuxin-batch/1"
CHUNK: Final = 1 << 20  # bytes read at a time
LINE_MAX: Final = 6 * NAME_MAX + 1024  # bytes: JSON writes a control character as six
UNSYNCED_MAX: Final = 64 << 20  # bytes hashed before the lines about them outlive a kill


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first line. `root` is hex, and empty while files are read."""

    format: str
    evidence: str
    salting: str
    folder: str
    root: str = ""


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file by its path within the folder, and what it was when it was read."""

    file: str
    bytes: int
    mtime_ns: int
    ctime_ns: int
    digest: str
    salt: str = ""


_Line = TypeVar("_Line", Head, Entry)


class Manifest(msgspec.Struct, frozen=True):
    """A manifest as far as it was written."""

    head: Head
    entries: Sequence[Entry]

    def root(self) -> bytes:
        """The root over the digests, in order."""
        from ledger.merkle import root_of

        return bytes(root_of(self.digests()))

    def digests(self) -> list[bytes]:
        return [bytes.fromhex(entry.digest) for entry in self.entries]


def files_in(folder: Path, count_max: int) -> list[str]:
    """Paths of all files within the folder, in the order of their bytes. Raises CommandRefused.

    What is neither file nor folder is refused, not left out: a batch speaks for the whole folder.
    """
    found: list[str] = []
    for place, folders, names in os.walk(folder, onerror=_raise):
        for name in (*folders, *names):
            path = Path(place, name)
            mode = path.lstat().st_mode
            if stat.S_ISDIR(mode):
                continue
            if not stat.S_ISREG(mode):
                raise CommandRefused(
                    "folder.file", f"{path} is no file but a link or device: move it elsewhere"
                )
            relative = path.relative_to(folder).as_posix()
            if not _is_text(relative):
                raise CommandRefused("folder.name", f"{path!r}: rename it, its name is not UTF-8")
            found.append(relative)
            if len(found) > count_max:
                raise CommandRefused(
                    "folder.large", f"{folder} has over {count_max:,} files: record its parts"
                )
    if not found:
        raise CommandRefused("folder.empty", f"there is no file in {folder}")
    return sorted(found, key=os.fsencode)


def take_in(
    folder: Path, manifest: Path, head: Head, names: Sequence[str], advance: Advance
) -> Manifest:
    """Read the files that the manifest does not have as they are, and write it whole.

    `advance` is told of bytes. Raises CommandRefused for a manifest of another batch, and for files
    that change meanwhile or did so since the manifest was whole.
    """
    from crypto.files import replace_file

    part = manifest.with_name(f"{manifest.name}.part")
    known = {**_known(manifest, head), **_known(part, head)}
    sizes = {name: (folder / name).lstat().st_size for name in names}
    total, done = sum(sizes.values()), 0
    entries: list[Entry] = []
    with _opened(part, head) as file:
        unsynced = 0
        for name in names:
            entry = known.get(name)
            if entry is None or not _is_as_it_was(folder / name, entry):
                entry = _read(folder, name, is_salted=head.salting == SALTED)
                file.write(msgspec.json.encode(entry) + b"\n")
                unsynced += entry.bytes + LINE_MAX
            if unsynced > UNSYNCED_MAX:
                file.flush()
                unsynced = 0
            entries.append(entry)
            done += sizes[name]
            advance(done, total)
    root = Manifest(head, entries).root().hex()
    whole = Manifest(msgspec.structs.replace(head, root=root), entries)
    _keep_salts(manifest, root)
    lines = [msgspec.json.encode(line) for line in (whole.head, *entries)]
    replace_file(manifest, b"\n".join(lines) + b"\n", mode=0o600)
    part.unlink()
    return whole


def _keep_salts(manifest: Path, root: str) -> None:
    """Nothing replaces a whole manifest but the same: its root may be on its way to the chain."""
    before = read_manifest(manifest) if manifest.exists() else None
    if before is not None and before.head.root != root:
        raise CommandRefused(
            "manifest.kept",
            f"files changed since {manifest} was written, and what it says may be on record soon: "
            "see `shuxin evidence show`, and use a new id for the files as they are now",
        )


def load_manifest(path: Path) -> Manifest:
    """A manifest that was written to its end. Raises CommandRefused."""
    found = read_manifest(path)
    if found is None or not found.entries or found.root().hex() != found.head.root:
        raise CommandRefused(
            "manifest.damaged",
            f"{path} is not whole: its lines do not make the root in its first; take a copy of it",
        )
    return found


def read_manifest(path: Path) -> Manifest | None:
    """What a manifest holds, without a last line that was torn; None: not even a head.

    Raises CommandRefused for what is no manifest.
    """
    with path.open("rb") as file:
        lines = _lines(path, file)
        first = next(lines, None)
        if first is None:
            return None
        head = _decoded(path, 1, first, Head)
        if head.format != FORMAT:
            raise CommandRefused("manifest.format", f"{path} is no manifest of this release")
        entries = [_decoded(path, number, line, Entry) for number, line in enumerate(lines, 2)]
    for number, entry in enumerate(entries, 2):
        if not (_is_hex(entry.digest, 32) and (not entry.salt or _is_hex(entry.salt, SALT_SIZE))):
            raise CommandRefused("manifest.damaged", f"{path}, line {number}: no digest or salt")
    return Manifest(head, entries)


def entry_of(manifest: Manifest, file: Path, name: str) -> int:
    """The place of a file in the batch: by `name`, or by the longest end of its path.

    Raises CommandRefused.
    """
    places = {entry.file: place for place, entry in enumerate(manifest.entries)}
    if name:
        candidates = [name]
    else:
        parts = Path(os.path.abspath(file)).parts[1:]
        candidates = ["/".join(parts[start:]) for start in range(len(parts))]
    for candidate in candidates:
        if candidate in places:
            return places[candidate]
    raise CommandRefused(
        "folder.unknown",
        f"{manifest.head.evidence} has no file {name or file}: say by --name what it is called in "
        "the manifest",
    )


def digest_of_file(path: Path, salt: bytes) -> bytes:
    """What a batch has of a file now. Raises OSError."""
    with path.open("rb") as file:
        return digest_of(salt, _chunks(file))


# --- reading --------------------------------------------------------------------------------------


def _read(folder: Path, name: str, *, is_salted: bool) -> Entry:
    salt = secrets.token_bytes(SALT_SIZE) if is_salted else b""
    path = folder / name
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        before = os.fstat(descriptor)
        digest = digest_of(salt, _chunks(file))
        after = os.fstat(descriptor)
    entry = Entry(
        file=name,
        bytes=before.st_size,
        mtime_ns=before.st_mtime_ns,
        ctime_ns=before.st_ctime_ns,
        digest=digest.hex(),
        salt=salt.hex(),
    )
    if not _is_same(after, entry):
        raise CommandRefused(
            "folder.changing", f"{path} changed while it was read: run it again when it is at rest"
        )
    return entry


def _is_as_it_was(path: Path, entry: Entry) -> bool:
    return _is_same(path.lstat(), entry)


def _is_same(now: os.stat_result, entry: Entry) -> bool:
    was = (entry.bytes, entry.mtime_ns, entry.ctime_ns)
    return (now.st_size, now.st_mtime_ns, now.st_ctime_ns) == was


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


# --- the manifest ---------------------------------------------------------------------------------


def _known(path: Path, head: Head) -> dict[str, Entry]:
    """What an earlier run wrote, by file; the last word counts. Raises CommandRefused."""
    if not path.exists():
        return {}
    found = read_manifest(path)
    if found is None:
        return {}
    if msgspec.structs.replace(found.head, root="") != head:
        raise CommandRefused(
            "manifest.other",
            f"{path} is of the batch {found.head.evidence} ({found.head.salting}) over "
            f"{found.head.folder}: name another file with --manifest",
        )
    return {entry.file: entry for entry in found.entries}


def _opened(path: Path, head: Head) -> BinaryIO:
    """The manifest, to go on behind its last whole line."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    file = os.fdopen(descriptor, "r+b")
    end = _whole_lines_end(file)
    file.seek(end)
    file.truncate()
    if end == 0:
        file.write(msgspec.json.encode(head) + b"\n")
    return file


def _whole_lines_end(file: BinaryIO) -> int:
    end = place = 0
    for chunk in _chunks(file):
        last = chunk.rfind(b"\n")
        if last >= 0:
            end = place + last + 1
        place += len(chunk)
    return end


def _lines(path: Path, file: BinaryIO) -> Iterator[bytes]:
    while line := file.readline(LINE_MAX + 1):
        if len(line) > LINE_MAX:
            raise CommandRefused("manifest.format", f"{path} is no manifest: a line is too long")
        if line.endswith(b"\n"):
            yield line


def _decoded(path: Path, number: int, line: bytes, kind: type[_Line]) -> _Line:
    try:
        return msgspec.json.decode(line, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CommandRefused("manifest.format", f"{path}, line {number}: {error}") from None


def _is_hex(text: str, size: int) -> bool:
    return len(text) == 2 * size and all(letter in "0123456789abcdef" for letter in text)


def _is_text(name: str) -> bool:
    return not any("\udc80" <= letter <= "\udcff" for letter in name)


def _raise(error: OSError) -> None:
    raise error
