"""A second checker of proof bundles, written from docs/bundle.md alone.

It imports nothing of ours: msgpack from a library, SM3 from the standard library's OpenSSL, SM2 in
plain affine arithmetic after GB/T 32918.2. Slow, obvious, and an oracle for `ledger/bundle.py`.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, TypeAlias

import msgspec

Parts: TypeAlias = list[Any]  # what msgpack decodes to; shapes are checked by taking it apart

P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
SIGNER_ID = b"1234567812345678"
TAGS = (b"shuxin/bundle/1\0", b"shuxin/bundle/2\0")
KEYS_MAX = 256
CHANGES_MAX = 1024
Epochs: TypeAlias = list[tuple[int, Parts]]  # height above which a committee orders, and it
Point: TypeAlias = tuple[int, int] | None


class Refused(Exception):
    """The bundle proves nothing; the text is the number of the check in docs/bundle.md."""


def check(file: bytes, genesis_file: bytes) -> Parts:
    """The claim that the bundle proves. Raises Refused."""
    chain, committee = genesis_of(genesis_file)
    try:
        tag, packed = file[: len(TAGS[0])], file[len(TAGS[0]) :]
        need(1, tag in TAGS)
        bundle = msgspec.msgpack.decode(packed)
        need(1, msgspec.msgpack.encode(bundle) == packed)
        chain_id, members, changes, claim = bundle
        need(2, chain_id == chain)
        need(3, members == committee)
        epochs = check_changes(changes, chain, committee)
        need(1, tag == TAGS[claim[0] == "states"])
        if claim[0] == "transaction":
            check_transaction(claim[1:], chain, epochs)
        elif claim[0] == "states":
            check_states(claim[1:], chain, epochs)
        else:
            need(1, claim[0] == "state")
            check_state(claim[1:], chain, epochs)
    except (msgspec.DecodeError, ValueError, TypeError, IndexError, AttributeError) as error:
        raise Refused(1) from error
    return list(claim)


def check_changes(changes: Parts, chain: bytes, committee: Parts) -> Epochs:
    """The committees, each believed on the word of the one before."""
    need(4, len(changes) <= CHANGES_MAX)
    epochs: Epochs = [(0, committee)]
    for validators, certificate in changes:
        base, before = epochs[-1]
        need(4, certificate[0][1] > base)
        statement = check_certificate(certificate, chain, before)
        need(9, statement[5] == committee_digest(validators) != committee_digest(before))
        epochs.append((statement[1], validators))
    return epochs


def committee_of(height: int, epochs: Epochs) -> Parts:
    begun = [committee for base, committee in epochs if base < height]
    return begun[-1] if begun else epochs[0][1]


def check_transaction(claim: Parts, chain: bytes, epochs: Epochs) -> None:
    (body, signature), receipt, path, receipt_path, header, certificate, party = claim
    statement = check_claimed(certificate, chain, epochs)
    need(11, tagged("header", msgspec.msgpack.encode(header)) == statement[2])
    need(11, (header[2], header[4]) == (statement[1], statement[6]))
    own = committee_digest(committee_of(header[2], epochs))
    need(12, (header[1], header[7]) == (chain, own))
    transaction_id = tagged("transaction", body)
    need(13, top(transaction_id, path) == header[6])
    need(14, top(tagged("receipt", msgspec.msgpack.encode(receipt)), receipt_path) == statement[4])
    need(15, receipt[0] == transaction_id)
    _, signed_chain, sender, *rest = msgspec.msgpack.decode(body)
    need(16, msgspec.msgpack.encode(msgspec.msgpack.decode(body)) == body)
    need(16, len(rest) == 6 and len(sender) == 64)
    need(17, signed_chain == chain)
    need(18, is_signed(sender, b"shuxin/transaction/1\0" + body, signature))
    if party is not None:
        kind, namespace, key, proof, _ = party
        address = sm3(sender)[:20].hex()
        wanted = msgspec.msgpack.encode(["party_by_address", address])
        need(19, (kind, namespace, key) == ("state", "parties", wanted))
        check_state(party[1:], chain, epochs)
        need(19, isinstance(msgspec.msgpack.decode(proof[0]), str))


def check_state(claim: Parts, chain: bytes, epochs: Epochs) -> None:
    namespace, key, (value, neighbor, depths, siblings), certificate = claim
    root = check_claimed(certificate, chain, epochs)[3]
    path = state_path(namespace, key)
    need(20, len(depths) == len(siblings) and list(depths) == sorted(set(depths)))
    need(20, all(len(sibling) == 32 and any(sibling) for sibling in siblings))
    if value is not None:
        need(20, neighbor is None)
        node = sm3(b"\x10" + path + sm3(value))
    elif neighbor is not None:
        other, value_hash = neighbor
        need(20, len(other) == len(value_hash) == 32 and other != path)
        need(20, all(bit(other, depth) == bit(path, depth) for depth in depths))
        node = sm3(b"\x10" + other + value_hash)
    else:
        need(20, siblings == [])
        node = bytes(32)
    for depth, sibling in zip(reversed(depths), reversed(siblings), strict=True):
        left, right = (sibling, node) if bit(path, depth) else (node, sibling)
        node = sm3(b"\x11" + bytes([depth]) + left + right)
    need(20, node == root)


def check_states(claim: Parts, chain: bytes, epochs: Epochs) -> None:
    keys, (values, shape, neighbors, siblings), certificate = claim
    root = check_claimed(certificate, chain, epochs)[3]
    need(21, 0 < len(keys) == len(values) <= KEYS_MAX)
    held = {state_path(*key): value for key, value in zip(keys, values, strict=True)}
    need(21, len(held) == len(keys))
    if shape == b"":
        need(21, not any(value is not None for value in values) and not neighbors + siblings)
        need(21, root == bytes(32))
        return
    left = list(shape), [list(neighbor) for neighbor in neighbors], list(siblings)
    need(21, read_node(sorted(held), [], held, left) == root)
    need(21, left == ([], [], []))


def read_node(
    paths: list[bytes],
    above: list[int],
    held: dict[bytes, bytes | None],
    left: tuple[list[int], Parts, Parts],
) -> bytes:
    """The hash of the node that these paths reach; `left` is what of the proof is not read yet."""
    shape, neighbors, siblings = left
    kind = shape.pop(0)
    need(21, kind in (0, 1))
    if kind == 0:
        present = [path for path in paths if held[path] is not None]
        need(21, len(present) <= 1)
        if present:
            return sm3(b"\x10" + present[0] + sm3(held[present[0]] or b""))
        other, value_hash = neighbors.pop(0)
        need(21, len(other) == len(value_hash) == 32 and other not in paths)
        need(21, all(bit(other, depth) == bit(path, depth) for path in paths for depth in above))
        return sm3(b"\x10" + other + value_hash)
    depth = shape.pop(0)
    need(21, depth > max(above, default=-1))
    sides = []
    for side in (0, 1):
        taken = [path for path in paths if bit(path, depth) == side]
        if taken:
            sides.append(read_node(taken, [*above, depth], held, left))
        else:
            sides.append(siblings.pop(0))
            need(21, len(sides[-1]) == 32 and any(sides[-1]))
    return sm3(b"\x11" + bytes([depth]) + sides[0] + sides[1])


def state_path(namespace: str, key: bytes) -> bytes:
    name = namespace.encode()
    return sm3(b"\x12" + bytes([len(name)]) + name + key)


def check_claimed(certificate: Parts, chain: bytes, epochs: Epochs) -> Parts:
    """The statement of a claim, if the committee of its height signed it."""
    height = certificate[0][1]
    statement = check_certificate(certificate, chain, committee_of(height, epochs))
    need(10, statement[5] == committee_digest(committee_of(height + 1, epochs)))
    return statement


def check_certificate(certificate: Parts, chain: bytes, committee: Parts) -> Parts:
    """The statement, if a quorum of this committee signed it."""
    statement, signatures = certificate
    validators = committee[0]
    faults = (len(validators) - 1) // 3
    need(5, statement[0] == chain)
    need(6, 2 * len(signatures) >= len(validators) + faults + 1)
    voters = [validator for validator, _ in signatures]
    need(7, voters == sorted(set(voters)) and voters[0] >= 0 and voters[-1] < len(validators))
    message = b"shuxin/execution/1\0" + msgspec.msgpack.encode(statement)
    for validator, signature in signatures:
        need(8, is_signed(validators[validator][2], message, signature))
    return list(statement)


def genesis_of(file: bytes) -> tuple[bytes, Parts]:
    """The chain id, and the committee as msgpack decodes it."""
    shown = json.loads(file)
    validators = [
        [v["name"], v["party"], bytes.fromhex(v["public_key"]), v["peer_id"]]
        for v in shown["validators"]
    ]
    parties = [[p["id"], p["name"], p["roles"], p["accounts"]] for p in shown["parties"]]
    contracts = [
        [c["name"], "\n".join(c["source"]), bytes.fromhex(c["args"])] for c in shown["contracts"]
    ]
    limits = list(shown["limits"].values())
    whole = [shown["version"], shown["name"], shown["time_ms"], [validators], parties, contracts]
    encoded = msgspec.msgpack.encode([*whole, limits, shown["vm_version"]])
    return tagged("genesis", encoded), [validators]


def committee_digest(committee: Parts) -> bytes:
    return tagged("validators", msgspec.msgpack.encode(committee))


def top(leaf: bytes, path: Parts) -> bytes:
    """The root to which a path of the list tree leads."""
    node = sm3(b"\0" + leaf)
    for is_left, sibling in path:
        need(13, isinstance(is_left, bool) and len(sibling) == 32)
        node = sm3(b"\1" + sibling + node) if is_left else sm3(b"\1" + node + sibling)
    return node


def need(number: int, holds: bool) -> None:
    if not holds:
        raise Refused(number)


def bit(path: bytes, depth: int) -> int:
    return path[depth // 8] >> (7 - depth % 8) & 1


def sm3(data: bytes) -> bytes:
    return hashlib.new("sm3", data).digest()


def tagged(tag: str, data: bytes) -> bytes:
    return sm3(f"shuxin/{tag}/1\0".encode() + data)


def is_signed(public: bytes, message: bytes, signature: bytes) -> bool:
    """GB/T 32918.2, 7.1."""
    if len(public) != 64 or len(signature) != 64:
        return False
    key = int.from_bytes(public[:32]), int.from_bytes(public[32:])
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
    t = (r + s) % N
    if not (0 < r < N and 0 < s < N and t) or (key[1] ** 2 - key[0] ** 3 - A * key[0] - B) % P:
        return False
    constants = b"".join(number.to_bytes(32) for number in (A, B, *G))
    length = (8 * len(SIGNER_ID)).to_bytes(2)
    digest = sm3(sm3(length + SIGNER_ID + constants + public) + message)
    point = add(multiply(s, G), multiply(t, key))
    return point is not None and (int.from_bytes(digest) + point[0]) % N == r


def multiply(scalar: int, point: Point) -> Point:
    result: Point = None
    for digit in bin(scalar)[2:]:
        result = add(result, result)
        if digit == "1":
            result = add(result, point)
    return result


def add(first: Point, second: Point) -> Point:
    if first is None or second is None:
        return first or second
    (x1, y1), (x2, y2) = first, second
    if x1 == x2 and (y1 + y2) % P == 0:
        return None
    if first == second:
        slope = (3 * x1 * x1 + A) * pow(2 * y1, -1, P)
    else:
        slope = (y2 - y1) * pow(x2 - x1, -1, P)
    x3 = (slope * slope - x1 - x2) % P
    return x3, (slope * (x1 - x3) - y1) % P
