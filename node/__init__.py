"""The daemon: the only place where trio, the disk and the network meet.

It decides nothing about ordering (consensus.pbft), contracts (contracts.vm) or records
(ledger); it moves their inputs and outputs. In the order of a transaction's way:

    run        one nursery: the architecture at a glance
    config     what an operator sets
    refusals   every reason a node gives for saying no
    api/       gRPC services, on threads
    mempool    which transactions wait, which are claimed by a height
    intake     from untrusted bytes to a verified transaction in the pool, and on to the peers
    replica    the driver: input -> consensus step -> perform effects
    journal    votes and bodies, durable before they leave
    execute    delivered proposal -> block -> contracts -> ledger
    sync       certified blocks from peers for a node that lags
    announce   tells waiting clients about new heights
    wire       domain <-> protobuf
    audit      replays a ledger from its genesis and trusts nothing else
"""

from typing import Final

VERSION: Final = "0.1.0"
