"""The state tree as its definition says it, without pages, stem or caches: the oracle."""

from __future__ import annotations

from gmssl import sm3 as other_sm3  # a second implementation of the hash as well


def sm3(data: bytes) -> bytes:
    return bytes.fromhex(other_sm3.sm3_hash(list(data)))


class NaiveStateTree:
    """A dict of values; the root is computed afresh by splitting the set bit by bit."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, bytes], bytes] = {}

    def put(self, namespace: str, key: bytes, value: bytes | None) -> None:
        if value is None:
            self.values.pop((namespace, key), None)
        else:
            self.values[namespace, key] = value

    def root(self) -> bytes:
        leaves = []
        for (namespace, key), value in self.values.items():
            name = namespace.encode()
            path = sm3(b"\x12" + bytes([len(name)]) + name + key)
            bits = f"{int.from_bytes(path):0256b}"
            leaves.append((bits, sm3(b"\x10" + path + sm3(value))))
        return root_of(leaves, 0)


def root_of(leaves: list[tuple[str, bytes]], depth: int) -> bytes:
    if not leaves:
        return bytes(32)
    if len(leaves) == 1:
        return leaves[0][1]
    zero = [leaf for leaf in leaves if leaf[0][depth] == "0"]
    one = [leaf for leaf in leaves if leaf[0][depth] == "1"]
    if not zero or not one:
        return root_of(leaves, depth + 1)
    return sm3(b"\x11" + bytes([depth]) + root_of(zero, depth + 1) + root_of(one, depth + 1))
