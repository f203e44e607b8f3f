"""Algorithm images: folders of files, named by two digests (clause 8.5c).

    content  one line per file, in the order of the paths: SM3 of the bytes, size, path
    layout   the paths alone: the directory structure

The digest of an image is SM3 of its content lines, so anybody with the files can recompute it, and
the lines tell which file differs. A publisher signs both digests for one chain; the contract
`algorithm` checks that signature over the bytes of `publisher_message`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from crypto import sm3
from executors.errors import ExecutorError

FILES_MAX: Final = 20_000  # of one image: more is hardly an algorithm
SIZE_MAX: Final = 4 << 30  # bytes of one image
DOMAIN: Final = b"shuxin algorithm image 1"  # begins what a publisher signs
CHUNK: Final = 1 << 20  # bytes read at a time
MADE: Final = ("__pycache__",)  # folders that running makes


class ImageInvalid(ExecutorError):
    """The folder is no image: the text says what to take out or to split."""


@dataclass(frozen=True, slots=True)
class Image:
    """What was found in a folder; digests have 32 bytes."""

    content: str
    layout: str

    @property
    def digest(self) -> bytes:
        return sm3.digest(self.content.encode())

    @property
    def layout_digest(self) -> bytes:
        return sm3.digest(self.layout.encode())


def image_of(folder: Path) -> Image:
    """Reads all files below `folder`. Raises ImageInvalid."""
    content: list[str] = []
    layout: list[str] = []
    size = 0
    for path in sorted(_files(folder)):
        name = path.relative_to(folder).as_posix()
        if not name.isprintable():
            raise ImageInvalid(f"{folder}: rename {name!r}, whose name cannot be printed")
        digest, length = _digest(path)
        size += length
        if len(layout) >= FILES_MAX or size > SIZE_MAX:
            raise ImageInvalid(
                f"{folder}: an image has at most {FILES_MAX} files and {SIZE_MAX} bytes; split it"
            )
        content.append(f"{digest.hex()} {length} {name}\n")
        layout.append(f"{name}\n")
    if not layout:
        raise ImageInvalid(f"{folder} has no file: name the folder of the image")
    return Image("".join(content), "".join(layout))


def publisher_message(
    image: tuple[bytes, bytes],
    *,
    chain: bytes,
    algorithm: str,
    provider: str,
    parameters: Sequence[tuple[str, str, str]],
) -> bytes:
    """What the publisher of `provider` signs: the twin of `signed_bytes` of the contract.

    `image` is digest and layout digest; `chain` the chain's id. Each text stands behind its length
    in UTF-8, two bytes.
    """
    texts = [algorithm, provider, *(text for parameter in parameters for text in parameter)]
    parts = [text.encode() for text in texts]
    return b"".join(
        [DOMAIN, chain, *image, *(len(part).to_bytes(2, "big") + part for part in parts)]
    )


def _files(folder: Path) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise ImageInvalid(f"{folder} cannot be read: {error.strerror}") from None
    for path in entries:
        if path.is_symlink():
            raise ImageInvalid(f"{path} is a link: what it leads to is not in the image; copy it")
        if path.is_dir():
            if path.name not in MADE:
                yield from _files(path)
        elif path.is_file():
            yield path
        else:
            raise ImageInvalid(f"{path} is neither file nor folder: take it out")


def _digest(path: Path) -> tuple[bytes, int]:
    """SM3 and size of a file that may be too large to hold."""
    hasher, size = sm3.hasher(), 0
    try:
        with path.open("rb") as handle:
            while chunk := handle.read(CHUNK):
                hasher.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise ImageInvalid(f"{path} cannot be read: {error.strerror}") from None
    return hasher.digest(), size
