"""A node's ledger with its door open, backups of it, and bare machines to restore them on.

The chain is the ledger's test world with its instant signatures; encryption is real.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import trio

from crypto import sm2
from crypto.provider import CryptoProvider
from ledger.encoding import decode, encode
from ledger.genesis import Genesis
from ledger.store import Store
from node.backup.door import Door
from node.backup.form import (
    MANIFEST,
    MANIFEST_SIZE_MAX,
    TAG_MANIFEST,
    Manifest,
    SignedManifest,
    decode_manifest,
    segment_name,
)
from node.backup.restore import Restored, Target, restore
from node.backup.take import Taken, take
from node.statesync.keeper import Keeper
from tests.chain_world import Chain, ReplayEngine
from tests.fake_keys import FakeKeys
from tests.ledger_world import World, fake_verify_batch


def ignore(done: int, total: int) -> None:
    """Progress that nobody watches."""


def is_readable() -> None:
    """Nothing is wrong with the ledger."""


@contextmanager
def open_door(
    data_dir: Path,
    store: Store,
    *,
    keys: CryptoProvider | None = None,
    check_readable: Callable[[], None] = is_readable,
) -> Iterator[None]:
    """The door of a running node, in a thread with a loop of its own."""
    keeper = Keeper(data_dir, store, 0)
    door = Door(data_dir, store, keys or FakeKeys(0), check_readable, lambda is_new: b"", keeper)
    is_open = threading.Event()
    life: list[tuple[trio.lowlevel.TrioToken, trio.CancelScope]] = []

    async def run() -> None:
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                await nursery.start(door.run)
                nursery.start_soon(keeper.run)
                life.append((trio.lowlevel.current_trio_token(), scope))
                is_open.set()
                await trio.sleep_forever()

    thread = threading.Thread(target=trio.run, args=(run,))
    thread.start()
    assert is_open.wait(10)
    try:
        yield
    finally:
        token, scope = life[0]
        token.run_sync_soon(scope.cancel)
        thread.join(10)
        assert not thread.is_alive()


class Origin:
    """The node that is backed up; `private` is the operator's key, far away from it."""

    def __init__(self, root: Path, *, blocks: int = 0, seed: int = 1) -> None:
        self.root = root
        self.data_dir = root / "origin"
        self.data_dir.mkdir(parents=True)
        self.chain = Chain(World(self.data_dir / "ledger", seed=seed))
        self.folder = root / "backup"
        self.private = sm2.generate()
        self.public = sm2.public_key(self.private)
        self.grow(blocks)

    @property
    def store(self) -> Store:
        return self.chain.world.store

    def grow(self, count: int, *, certified: bool = True) -> None:
        for _ in range(count):
            self.chain.grow()
            if certified:
                self.chain.world.certify(self.store.height)

    def take(self, *, advance: Callable[[int, int], None] = ignore) -> Taken:
        with open_door(self.data_dir, self.store):
            return self.take_through(advance=advance)

    def take_through(self, *, advance: Callable[[int, int], None] = ignore) -> Taken:
        """When a door is open."""
        return take(
            self.data_dir,
            self.folder,
            self.public,
            verify_batch=fake_verify_batch,
            advance=advance,
        )

    def restore(
        self,
        data_dir: Path,
        *,
        private: bytes | None = None,
        genesis: Genesis | None = None,
        height_min: int = 0,
        advance: Callable[[int, int], None] = ignore,
    ) -> Restored:
        target = Target(
            data_dir,
            genesis or self.chain.world.genesis,
            FakeKeys(),
            lambda: ReplayEngine(self.chain),
        )
        return restore(
            self.folder, private or self.private, target, height_min=height_min, advance=advance
        )

    # --- what an attacker does --------------------------------------------------------------

    def segment(self, number: int) -> Path:
        return self.folder / segment_name(number)

    def manifest(self, number: int) -> Manifest:
        content = (self.segment(number) / MANIFEST).read_bytes()
        signed = decode(content, SignedManifest, size_max=MANIFEST_SIZE_MAX)
        return decode_manifest(signed.manifest)

    def resign(self, number: int, manifest: Manifest, keys: FakeKeys) -> None:
        """Put a manifest in the place of another, signed by whoever has `keys`."""
        data = encode(manifest)
        signed = SignedManifest(data, keys.sign(TAG_MANIFEST + data))
        (self.segment(number) / MANIFEST).write_bytes(encode(signed))
