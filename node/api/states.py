"""What the state holds, with proofs: the methods GetState and GetStates of shuxin.v1.Node."""

from __future__ import annotations

from contracts.vm.limits import STORED_KEY_SIZE_MAX
from ledger.batch_proof import BATCH_KEYS_MAX
from ledger.encoding import encode
from ledger.proof import StateKey
from node import refusals
from node.api.backend import Backend
from node.refusals import Refusal
from shuxin.v1 import node_pb2 as pb

# Bytes of the values in one answer: a proof bundle of it stays within its 2 MiB. One value has
# 64 KiB at most, so that 23 keys are always answered.
STATES_SIZE_MAX = 3 << 19


def prove_state(backend: Backend, request: pb.GetStateRequest) -> pb.StateReply:
    """A key's value or absence with its proof. Raises Refusal."""
    backend.check_readable()
    _check_keys([(request.namespace, request.key)])
    found = backend.store.prove_certified(request.namespace, request.key, request.height)
    if found is None:
        raise _not_kept(backend, request.height)
    value, proof, certificate = found
    return pb.StateReply(
        present=value is not None,
        value=value or b"",
        proof=encode(proof),
        certificate=encode(certificate),
    )


def prove_states(backend: Backend, request: pb.GetStatesRequest) -> pb.StatesReply:
    """Many keys of one height with one proof. Raises Refusal."""
    backend.check_readable()
    if not 0 < len(request.keys) <= BATCH_KEYS_MAX:
        raise Refusal(
            refusals.KEYS,
            f"one proof is about 1 to {BATCH_KEYS_MAX} keys, {len(request.keys)} were asked for",
        )
    keys = [(key.namespace, key.key) for key in request.keys]
    _check_keys(keys)
    if len(set(keys)) != len(keys):
        raise Refusal(refusals.KEYS, "a key is asked for twice: ask for each key once")
    found = backend.store.prove_batch(keys, request.height)
    if found is None:
        raise _not_kept(backend, request.height)
    proof, certificate = found
    size = sum(len(value) for value in proof.values if value is not None)
    if size > STATES_SIZE_MAX:
        raise Refusal(
            refusals.KEYS,
            f"the values have {size} bytes together, one answer takes {STATES_SIZE_MAX}: ask for "
            "fewer keys at once",
        )
    return pb.StatesReply(proof=encode(proof), certificate=encode(certificate))


def _check_keys(keys: list[StateKey]) -> None:
    """A key that no contract can store is not hashed: a message has room for one of 8 MB."""
    for _, key in keys:
        if len(key) > STORED_KEY_SIZE_MAX:
            raise Refusal(
                refusals.KEYS,
                f"a key of {len(key)} bytes: no key of the state has more than "
                f"{STORED_KEY_SIZE_MAX}",
            )


def _not_kept(backend: Backend, height: int) -> Refusal:
    if not height:
        return Refusal(refusals.PENDING, "the head is not certified yet: ask again")
    first, last = backend.store.provable
    if first > last:
        why = "this node can prove no state yet: ask again in a moment, or another node"
    else:
        why = (
            f"this node proves the state of heights {first} to {last}, not of {height}: ask for "
            "one of these, or have a node keep more ([ledger] provable_heights of its "
            "configuration)"
        )
    return Refusal(refusals.STATE_HEIGHT, why)
