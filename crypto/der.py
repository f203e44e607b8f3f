"""Strict DER (X.690), as much as keys and signatures need: one byte string per value.

Encoders return bytes; `Reader` takes them apart again. Whatever is not the shortest, definite
form is refused with DerInvalid: BER's second spellings of a signature would be a second
signature.
"""

from __future__ import annotations

from crypto.errors import DerInvalid

INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
NULL = 0x05
OBJECT_ID = 0x06
SEQUENCE = 0x30

# Three length bytes (16 MiB) hold anything read here; more would be an attack on memory.
LENGTH_BYTES_MAX = 3


def element(tag: int, content: bytes) -> bytes:
    """Tag, length and content."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    assert len(length) <= LENGTH_BYTES_MAX
    return bytes((tag, 0x80 | len(length))) + length + content


def integer(value: int) -> bytes:
    """A non-negative INTEGER."""
    assert value >= 0
    return element(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def octets(data: bytes) -> bytes:
    """An OCTET STRING."""
    return element(OCTET_STRING, data)


def bits(data: bytes) -> bytes:
    """A BIT STRING of whole bytes."""
    return element(BIT_STRING, b"\0" + data)


def sequence(*items: bytes) -> bytes:
    """A SEQUENCE of encoded items."""
    return element(SEQUENCE, b"".join(items))


def tagged(number: int, item: bytes) -> bytes:
    """`[number] EXPLICIT item`."""
    return element(0xA0 | number, item)


def null() -> bytes:
    """NULL."""
    return element(NULL, b"")


def object_id(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER from its dotted form."""
    arcs = [int(arc) for arc in dotted.split(".")]
    content = b""
    for arc in (arcs[0] * 40 + arcs[1], *arcs[2:]):
        septets = [arc & 0x7F]
        while arc := arc >> 7:
            septets.append(0x80 | arc & 0x7F)
        content += bytes(reversed(septets))
    return element(OBJECT_ID, content)


class Reader:
    """Takes DER values off the front of `data`, one by one; call `end` after the last."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def end(self) -> None:
        """Raises DerInvalid if bytes are left."""
        if self._at != len(self._data):
            raise DerInvalid(f"{len(self._data) - self._at} bytes follow the last value")

    def next_is(self, tag: int) -> bool:
        """Whether a value with this tag comes next."""
        return self._at < len(self._data) and self._data[self._at] == tag

    def content(self, tag: int) -> bytes:
        """The content of the next value, which must have this tag."""
        if not self.next_is(tag):
            raise DerInvalid(f"a value with tag 0x{tag:02x} was expected")
        self._at += 1
        return self._take(self._length())

    def integer(self) -> int:
        """A non-negative INTEGER in its shortest form."""
        content = self.content(INTEGER)
        if not content or content[0] & 0x80:
            raise DerInvalid("an INTEGER is empty or negative")
        if len(content) > 1 and content[0] == 0 and not content[1] & 0x80:
            raise DerInvalid("an INTEGER has a superfluous leading zero")
        return int.from_bytes(content, "big")

    def octets(self) -> bytes:
        """An OCTET STRING."""
        return self.content(OCTET_STRING)

    def bits(self) -> bytes:
        """A BIT STRING of whole bytes."""
        content = self.content(BIT_STRING)
        if not content or content[0] != 0:
            raise DerInvalid("a BIT STRING does not hold whole bytes")
        return content[1:]

    def sequence(self) -> Reader:
        """A reader of the items of a SEQUENCE."""
        return Reader(self.content(SEQUENCE))

    def tagged(self, number: int) -> Reader:
        """A reader of what `[number] EXPLICIT` holds."""
        return Reader(self.content(0xA0 | number))

    def null(self) -> None:
        """NULL."""
        if self.content(NULL):
            raise DerInvalid("a NULL is not empty")

    def object_id(self, names: tuple[str, ...]) -> str:
        """An OBJECT IDENTIFIER that must be one of the dotted `names`."""
        content = element(OBJECT_ID, self.content(OBJECT_ID))
        for name in names:
            if content == object_id(name):
                return name
        raise DerInvalid(f"an object identifier is none of {', '.join(names)}")

    def _length(self) -> int:
        first = self._take(1)[0]
        if first < 0x80:
            return first
        count = first & 0x7F
        if not 1 <= count <= LENGTH_BYTES_MAX:
            raise DerInvalid("a length is indefinite or too long")
        length = self._take(count)
        size = int.from_bytes(length, "big")
        if length[0] == 0 or size < 0x80:
            raise DerInvalid("a length is not in its shortest form")
        return size

    def _take(self, size: int) -> bytes:
        taken = self._data[self._at : self._at + size]
        if len(taken) != size:
            raise DerInvalid("the bytes end in the middle of a value")
        self._at += size
        return taken
