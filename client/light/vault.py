"""Vault: the file in which a light client keeps what it trusts, one for each chain of a folder.

CHAIN.light             what is trusted of the chain whose id begins so
CHAIN.fork-DIGEST.bin   two certificates that contradict each other
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from client.light.errors import ForkKept, ForkSeen, TrustDamaged
from client.light.trusted import (
    TRUSTED_SIZE_MAX,
    Trusted,
    decode_trusted,
    encode_trusted,
    merged,
    with_plans,
)
from crypto import sm3
from ledger.encoding import encode
from ledger.errors import DecodeError
from ledger.recovery import Recovery

SUFFIX = ".light"
NAME_DIGITS = 16  # hex digits of the chain id in a file's name; the file holds all of it
# The head alone is stored again only when it is so much later: a command every second costs no
# write every second, and a node can take a later command back by no more than this.
SAVE_EVERY_MS = 10_000
_OTHERS_MAY_WRITE = 0o022


class Vault:
    """The file of one chain."""

    def __init__(self, folder: Path, chain_id: bytes, recoveries: Sequence[Recovery] = ()) -> None:
        """Of what is stored only that counts which the plans leave standing."""
        self._folder = folder
        self._chain_id = chain_id
        self._recoveries = recoveries
        self._stem = chain_id.hex()[:NAME_DIGITS]
        self.path = folder / f"{self._stem}{SUFFIX}"

    def load(self) -> Trusted | None:
        """What is trusted; None: nothing yet. Raises TrustDamaged, or ForkKept after a fork."""
        for evidence in sorted(self._folder.glob(f"{self._stem}.fork-*.bin")):
            raise ForkKept(
                f"{evidence} proves that a quorum of this chain signed two histories. Show it to "
                "the parties and their auditors; when they have decided which one counts, move it "
                f"and {self.path.name} away to begin anew"
            )
        return self._stored()

    def save(self, trusted: Trusted) -> None:
        """Store it with what other commands stored meanwhile. Raises ForkSeen, OSError."""
        with self._locked():
            stored = self._stored()
            if stored is not None:
                trusted = merged(stored, trusted)
                if not _is_worth_a_write(stored, trusted):
                    return
            self._write(self.path, encode_trusted(trusted))

    def keep_fork(self, fork: ForkSeen) -> Path:
        """Keep the evidence, in the form of a node's halt: a sentence and both certificates."""
        data = encode((str(fork), (encode(fork.first), encode(fork.second))))
        digest = sm3.digest(data).hex()[:NAME_DIGITS]
        path = self._folder / f"{self._stem}.fork-{digest}.bin"
        with self._locked():
            self._write(path, data)
        return path

    def _stored(self) -> Trusted | None:
        found = _load(self.path, self._chain_id)
        return None if found is None else with_plans(found, self._recoveries)[0]

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._folder.mkdir(mode=0o700, exist_ok=True)  # in a home that is there
        lock = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _write(self, path: Path, data: bytes) -> None:
        """Whole or not at all, also when the power fails; mode 0600, as mkstemp makes it."""
        handle, name = tempfile.mkstemp(dir=self._folder, prefix=".", suffix=".new")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def chains_in(folder: Path) -> list[Path]:
    """The files of all chains that a folder knows."""
    return sorted(folder.glob(f"*{SUFFIX}"))


def load_any(path: Path) -> Trusted:
    """What a file of `chains_in` holds. Raises TrustDamaged."""
    trusted = _load(path, None)
    if trusted is None:
        raise TrustDamaged(f"{path} is gone: run the command again")
    return trusted


def _load(path: Path, chain_id: bytes | None) -> Trusted | None:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(TRUSTED_SIZE_MAX + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if mode & _OTHERS_MAY_WRITE:
        raise TrustDamaged(
            f"{path}: others than its owner may write it, and with it decide what is true here: "
            "look who did, then remove it, or chmod 600 it"
        )
    try:
        trusted = decode_trusted(data)
    except DecodeError as error:
        raise TrustDamaged(
            f"{path} cannot be used: {error}. Remove it: the next command begins again from the "
            "genesis (the trusted file, or else what the node sends: compare its chain id then)"
        ) from None
    if chain_id is not None and trusted.chain_id != chain_id:
        raise TrustDamaged(
            f"{path} is of the chain {trusted.chain_id.hex()}, not of {chain_id.hex()}: remove it"
        )
    return trusted


def _is_worth_a_write(stored: Trusted, trusted: Trusted) -> bool:
    if trusted.changes != stored.changes:
        return True
    newest = [one.certificates[-1].statement for one in (stored, trusted) if one.certificates]
    if len(newest) < 2:
        return trusted != stored
    return newest[1].time_ms - newest[0].time_ms >= SAVE_EVERY_MS
