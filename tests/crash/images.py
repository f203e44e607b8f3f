"""What a crash may leave on a disk, for every point of a trace."""

from __future__ import annotations

import hashlib
import os
import shutil
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tests.crash.record import ACKS, Kind, Op

SECTOR = 512  # bytes that a disk writes as a whole
PAGE = 4096  # bytes that the kernel takes over as a whole
CHANGES_TRIED = 6  # of those that one file waits with; the mark is hardly ever synced
# LevelDB's own log for people: written past the shim, read by nobody.
IGNORED = ("LOG", "LOG.old", ACKS)


@dataclass(frozen=True, slots=True)
class Blob:
    """The content of a file, hashed once."""

    data: bytes
    digest: bytes


Image = dict[str, Blob | None]  # each file by its path; None for a folder


def _blob(data: bytes) -> Blob:
    return Blob(data, hashlib.blake2b(data, digest_size=16).digest())


class File:
    """`stable` is what an fsync made durable; `pending` are (offset, data) or a size since."""

    def __init__(self, number: int, home: Folder) -> None:
        self.number = number
        self.home = home
        self.stable = b""
        self.pending: list[tuple[int, bytes] | int] = []
        self.when: list[int] = []  # the operation of each
        self._newest = bytearray()
        self._known: dict[tuple[int, int | None], Blob] = {}

    def change(self, change: tuple[int, bytes] | int, when: int) -> None:
        self._known = {key: blob for key, blob in self._known.items() if key[1] is None}
        self.pending.append(change)
        self.when.append(when)
        _apply(self._newest, change)

    def content(self, kept: int | None = None, cut: int | None = None) -> Blob:
        """With the first `kept` pending changes (None: all), and `cut` bytes of the next one."""
        key = (len(self.pending) if kept is None else kept, cut)
        if key not in self._known:
            self._known[key] = _blob(self._made(*key))
        return self._known[key]

    def _made(self, kept: int, cut: int | None) -> bytes:
        if kept == len(self.pending):
            return bytes(self._newest)
        data = bytearray(self.stable)
        for change in self.pending[:kept]:
            _apply(data, change)
        if cut is not None:
            change = self.pending[kept]
            assert not isinstance(change, int)
            _apply(data, (change[0], change[1][:cut]))
        return bytes(data)

    def sync(self) -> None:
        self.stable = bytes(self._newest)
        self.pending.clear()
        self.when.clear()
        self._known.clear()


def _apply(data: bytearray, change: tuple[int, bytes] | int) -> None:
    if isinstance(change, int):
        data[change:] = bytes(max(0, change - len(data)))
        return
    offset, written = change
    if offset > len(data):
        data.extend(bytes(offset - len(data)))
    data[offset : offset + len(written)] = written


@dataclass(eq=False)
class Folder:
    """Names that are durable, and the changes since: (operation, name, what or None)."""

    number: int
    stable: dict[str, File | Folder] = field(default_factory=dict)
    pending: list[tuple[int, str, File | Folder | None]] = field(default_factory=list)

    def names(self, kept: int | None = None) -> dict[str, File | Folder]:
        found = dict(self.stable)
        for _, name, what in self.pending if kept is None else self.pending[:kept]:
            if what is None:
                found.pop(name, None)
            else:
                found[name] = what
        return found


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to fail: how many pending changes of each folder and file are on the disk.

    What is not listed is as `rest` says: True, all of it; False, nothing of it.
    """

    name: str
    folders: dict[int, int]
    files: dict[int, tuple[int, int | None]]
    are_folders_kept: bool
    are_files_kept: bool


class Machine:
    """A disk with its caches, while a trace is played on it."""

    def __init__(self, start: Image) -> None:
        """`start` is there, and durable."""
        self.top = Folder(0)
        self._count = 0
        self._open: dict[int, File | Folder] = {}
        self._acks = -1
        self.folders: list[Folder] = [self.top]
        self.files: list[File] = []
        self._done = 0
        for path, blob in start.items():
            self._start(path, blob)

    def _start(self, path: str, blob: Blob | None) -> None:
        parts = PurePosixPath(path)
        home = self._find(str(parts.parent).encode())
        assert isinstance(home, Folder), path
        if blob is None:
            folder = Folder(self._number())
            self.folders.append(folder)
            home.stable[parts.name] = folder
            return
        file = File(self._number(), home)
        file.change((0, blob.data), 0)
        file.sync()
        self.files.append(file)
        home.stable[parts.name] = file

    def play(self, op: Op) -> str | None:
        """Do one operation; the words, if it says something."""
        if op.is_new_life:
            self._open.clear()
        self._done += 1
        if op.kind is Kind.WRITE and op.fd == self._acks:
            return op.first.decode()
        if op.kind in (Kind.WRITE, Kind.SYNC, Kind.CLOSE) and op.fd not in self._open:
            if op.kind is Kind.CLOSE and op.fd == self._acks:
                self._acks = -1
            return None  # of an ignored file
        if op.kind in (Kind.RENAME, Kind.LINK):
            self._move(op)
        elif op.kind is Kind.OPEN:
            self._opened(op)
        elif op.kind is Kind.CLOSE:
            del self._open[op.fd]
        elif op.kind is Kind.SYNC:
            self._sync(self._open[op.fd])
        elif op.kind is Kind.MKDIR:
            made = Folder(self._number())
            self.folders.append(made)
            self._name(op.first, made)
        elif op.kind in (Kind.UNLINK, Kind.RMDIR):
            self._name(op.first, None)
        else:
            self._change(op)
        return None

    # --- operations -------------------------------------------------------------------------

    def _opened(self, op: Op) -> None:
        self._open.pop(op.fd, None)
        self._acks = op.fd if op.first.decode() == ACKS else self._acks
        if _is_ignored(op.first):
            return
        found = self._find(op.first)
        if found is None:
            assert op.flags & os.O_CREAT, op
            home = self._find(str(PurePosixPath(op.first.decode()).parent).encode())
            assert isinstance(home, Folder), op
            found = File(self._number(), home)
            self.files.append(found)
            self._name(op.first, found)
        elif op.flags & os.O_TRUNC and isinstance(found, File):
            found.change(0, self._done)
        self._open[op.fd] = found

    def _change(self, op: Op) -> None:
        file = self._find(op.first) if op.fd < 0 else self._open[op.fd]
        assert isinstance(file, File), op
        change = (op.offset, op.first) if op.kind is Kind.WRITE else op.offset
        file.change(change, self._done)

    def _move(self, op: Op) -> None:
        if _is_ignored(op.first):
            return
        what = self._find(op.first)
        assert what is not None, op
        self._name(op.second, what)
        if op.kind is Kind.RENAME:
            self._name(op.first, None)

    def _name(self, path: bytes, what: File | Folder | None) -> None:
        if _is_ignored(path):
            return
        parts = PurePosixPath(path.decode())
        folder = self._find(str(parts.parent).encode())
        assert isinstance(folder, Folder), path
        folder.pending.append((self._done, parts.name, what))

    def _sync(self, what: File | Folder) -> None:
        if isinstance(what, File):
            what.sync()
            return
        for number, kept in self._closed({what.number: len(what.pending)}).items():
            folder = next(one for one in self.folders if one.number == number)
            folder.stable = folder.names(kept)
            del folder.pending[:kept]

    def _find(self, path: bytes) -> File | Folder | None:
        found: File | Folder | None = self.top
        for part in PurePosixPath(path.decode()).parts:
            found = found.names().get(part) if isinstance(found, Folder) else None
        return found

    def _number(self) -> int:
        self._count += 1
        return self._count

    def _closed(self, kept: dict[int, int]) -> dict[int, int]:
        """`kept`, so that what one operation did in two folders is in both or in none."""
        kept = dict(kept)
        while True:
            done = {
                one
                for folder in self.folders
                for one, _, _ in folder.pending[: kept.get(folder.number, 0)]
            }
            grown = dict(kept)
            for folder in self.folders:
                for place, (one, _, _) in enumerate(folder.pending, 1):
                    if one in done:
                        grown[folder.number] = max(grown.get(folder.number, 0), place)
            if grown == kept:
                return kept
            kept = grown

    # --- crashes ----------------------------------------------------------------------------

    def kill(self) -> Image:
        """What is there after a kill of the process."""
        return self.image(Variant("kill", {}, {}, True, True))

    def cut_kills(self, op: Op) -> Iterator[Variant]:
        """A kill in the middle of a long write, which has just been played: pages are whole."""
        file = self._open.get(op.fd)
        if op.kind is Kind.WRITE and isinstance(file, File):
            pages = range(PAGE, len(op.first), PAGE)
            for cut in pages[:: max(1, len(pages) // 3)]:
                place = (len(file.pending) - 1, cut)
                yield Variant(f"kill in the middle, at {cut}", {}, {file.number: place}, True, True)

    def image(self, variant: Variant) -> Image:
        folders = dict(variant.folders)
        for folder in self.folders:
            if folder.number not in folders and variant.are_folders_kept:
                folders[folder.number] = len(folder.pending)
        found: Image = {}
        self._collect(self.top, "", self._closed(folders), variant, found)
        return found

    def _collect(
        self, folder: Folder, path: str, kept: dict[int, int], variant: Variant, found: Image
    ) -> None:
        for name, what in folder.names(kept.get(folder.number, 0)).items():
            below = f"{path}{name}"
            if isinstance(what, Folder):
                found[below] = None
                self._collect(what, f"{below}/", kept, variant, found)
            else:
                most = len(what.pending) if variant.are_files_kept else 0
                count, cut = variant.files.get(what.number, (most, None))
                possible = _possible(what, kept.get(what.home.number, 0))
                found[below] = what.content(min(count, possible), cut if count < possible else None)

    def variants(self, *, is_dense: bool) -> Iterator[Variant]:
        """The ways in which power may fail now."""
        for are_folders_kept in (True, False):
            for are_files_kept in (True, False):
                name = f"names {are_folders_kept}, data {are_files_kept}"
                yield Variant(name, {}, {}, are_folders_kept, are_files_kept)
        dirty = [file for file in self.files if file.pending]
        for file in dirty:
            yield Variant(f"only file {file.number}", {}, {file.number: _all(file)}, True, False)
            yield Variant(f"but file {file.number}", {}, {file.number: (0, None)}, True, True)
            for place in _cuts(file, is_dense=is_dense):
                for is_kept in (True, False):
                    name = f"file {file.number} cut at {place}"
                    yield Variant(name, {}, {file.number: place}, True, is_kept)
        for folder in self.folders:
            for count in range(len(folder.pending) + 1):
                for is_others_kept in (True, False):
                    name = f"folder {folder.number} up to {count}"
                    kept = {folder.number: count}
                    yield Variant(name, kept, {}, is_others_kept, True)
                    yield Variant(name, kept, {}, is_others_kept, False)


def _possible(file: File, names_kept: int) -> int:
    """How many changes of a file can be on the disk: those before the first name that is not."""
    names = file.home.pending
    if names_kept >= len(names):
        return len(file.pending)
    return bisect_left(file.when, names[names_kept][0])


def _all(file: File) -> tuple[int, int | None]:
    return len(file.pending), None


def _cuts(file: File, *, is_dense: bool) -> Iterator[tuple[int, int | None]]:
    """Between changes, and within the last one: at its sectors, and around its ends.

    What overwrites a sector does so whole or not at all; an append may end anywhere.
    """
    changes = range(1, len(file.pending))
    for kept in {*changes[:: max(1, len(changes) // CHANGES_TRIED)], *changes[-2:]}:
        yield kept, None
    last = file.pending[-1]
    if isinstance(last, int):
        return
    offset, data = last
    appended = max(0, len(file.content(len(file.pending) - 1).data) - offset)
    edges = {appended + one for one in (1, 6, 7, 8)} | {(appended + len(data)) // 2, len(data) - 1}
    sectors = range(SECTOR - offset % SECTOR, len(data), SECTOR)
    step = 1 if is_dense else max(1, len(sectors) // 4)
    for cut in sorted({one for one in edges if one > appended} | set(sectors[::step])):
        if 0 < cut < len(data):
            yield len(file.pending) - 1, cut


def _is_ignored(path: bytes) -> bool:
    return PurePosixPath(path.decode()).name in IGNORED


def digest_of(image: Image) -> bytes:
    made = hashlib.blake2b(digest_size=16)
    for path in sorted(image):
        blob = image[path]
        made.update(path.encode() + b"\0" + (b"" if blob is None else blob.digest) + b"\0")
    return made.digest()


def write_image(image: Image, root: Path) -> None:
    """Make `root` hold just that."""
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    for path, blob in image.items():  # a folder comes before what is in it
        if blob is None:
            (root / path).mkdir()
        else:
            (root / path).write_bytes(blob.data)


def read_image(root: Path) -> Image:
    found: Image = {}
    for path in sorted(root.rglob("*")):
        if path.name not in IGNORED:
            name = str(path.relative_to(root))
            found[name] = None if path.is_dir() else _blob(path.read_bytes())
    return found


@dataclass(frozen=True, slots=True)
class Crash:
    """One image, after how many operations, and all that was said by then."""

    point: int
    operation: Op
    variant: str
    image: Image
    said: int  # how many of the words of the whole trace

    @property
    def is_kill(self) -> bool:
        return self.variant.startswith("kill")

    def __str__(self) -> str:
        return f"after operation {self.point} ({self.operation}): {self.variant}"


def crashes(
    operations: Sequence[Op],
    start: Image,
    *,
    is_dense: bool,
    points: Iterable[int] | None = None,
) -> Iterator[Crash]:
    """Every crash at every point (or after so many operations each) of a trace over `start`."""
    machine, said = Machine(start), 0
    wanted = None if points is None else set(points)
    for point, op in enumerate(operations):
        if machine.play(op):
            said += 1
        if op.kind is Kind.CLOSE or (wanted is not None and point not in wanted):
            continue
        yield Crash(point, op, "kill", machine.kill(), said)
        for variant in machine.cut_kills(op):
            yield Crash(point, op, variant.name, machine.image(variant), said)
        for variant in machine.variants(is_dense=is_dense):
            yield Crash(point, op, variant.name, machine.image(variant), said)
