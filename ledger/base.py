"""Where a ledger begins: from its base on all of a height is stored, below it nearly nothing.

Blocks below the base were pruned, or never here: both kinds of ledger have the same form. What is
left of the heights below is the genesis, the committees, the recovery plans, and of the last block
of every epoch its execution certificate, which hands over to the next committee (see
ledger.succession).
"""

from __future__ import annotations

from ledger.committee import Epochs
from ledger.errors import LedgerDamaged
from ledger.genesis import Limits
from ledger.records import Records

OPEN_CHECK_BLOCKS = 16  # newest blocks checked at every start: about 0.3 s of full ones
_REMEDY = "restore this ledger from a backup or let the node rejoin with an empty data directory"


def kept_blocks(limits: Limits) -> int:
    """How many certified blocks every ledger keeps, whatever its operator wants.

    - `valid_window`: a transaction that a coming block may include can stand in any of so many
      blocks before it; without their ids it could be included twice.
    - Two watermark windows: votes may be in flight for one above the newest certified block, and
      a peer may be as far behind that; it takes the blocks from here.
    - What is checked at every start.
    """
    return max(limits.valid_window, 2 * limits.watermark_window, OPEN_CHECK_BLOCKS)


def base_max(certified_height: int, limits: Limits) -> int:
    """The highest base of a ledger that is certified up to `certified_height`."""
    return max(0, certified_height + 1 - kept_blocks(limits))


def handovers(epochs: Epochs, base: int) -> list[int]:
    """The heights below `base` whose execution certificate is kept, ascending."""
    return [height for height in (epoch.base for epoch in epochs.all) if 0 < height < base]


def check_beginning(records: Records, epochs: Epochs) -> int:
    """The base of a ledger, once what is kept below it was checked. Raises LedgerDamaged.

    Like all checks of the ledger it finds damage, not dishonesty: no signature is verified.
    """
    base = records.base()
    highest = base_max(records.certified_height(), records.genesis().limits)
    if base > highest:
        raise LedgerDamaged(
            f"the ledger begins at block {base}, but needs all from {highest} on to tell whether "
            f"a transaction was included before; {_REMEDY}",
            height=highest,
        )
    for height in handovers(epochs, base):
        certificate = records.execution_certificate(height)
        if certificate is None:
            raise LedgerDamaged(
                f"block {height}: the certificate that ends its epoch is missing; {_REMEDY}",
                height=height,
            )
        statement, before, after = certificate.statement, epochs.at(height), epochs.at(height + 1)
        found = statement.height, statement.chain_id, statement.next_validators_hash
        if found != (height, before.domain, after.validators.digest):
            raise LedgerDamaged(
                f"block {height}: the certificate that ends its epoch does not hand over to the "
                f"committee in the table of committees; {_REMEDY}",
                height=height,
            )
    return base
