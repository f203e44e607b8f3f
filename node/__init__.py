"""The daemon: the only place where trio, the disk and the network meet.

It decides nothing about ordering (consensus.pbft), contracts (contracts.vm) or records
(ledger); it moves their inputs and outputs. In the order of a transaction's way:

    run         one nursery: the architecture at a glance;  serve: one node after another
    config      what an operator sets;  keys: the node's keys;  logs
    bootstrap   the ledger of a genesis, opened or made
    committee   who is who in the epoch at hand;  epochs: what a block decides about the next
    seat        orders in the committee, or follows it;  votes: frames of this and other epochs
    identity    whom links believe;  credentials: the node's own certificate, renewed
    peers       whom the registry lets in;  acts: what a node says on chain in its own name
    links       what is needed of the network;  peer_messages: what peers say besides votes
    refusals    every reason a node gives for saying no
    api/        gRPC services, on threads;  wire: domain <-> protobuf
    accesslog/  who asked what;  gateway/: a process beside the node, for national TLS
    reception   what they are answered from;  readiness: whether the node may answer
    mempool     which transactions wait for a block
    intake      from untrusted bytes to a verified transaction
    transactions  the pool's traffic with the peers
    replica     the driver: input -> consensus step -> perform effects
    fairness    what a backup holds against a primary that does not serve those who wait
    journal     votes and bodies, durable before they leave
    execution   the serial queue of all that changes the ledger
    execute     ordered proposal -> block -> contracts -> ledger
    sync        certified blocks from peers for a node that lags
    statesync/  certified snapshots: made, served, and begun with
    views       contract reads, beside the blocks
    history     keeps what was, behind what is certified
    announce    tells waiting clients about new heights
    halt        the switch that stops a node that must not go on;  retire: a stop in order
    repair      rebuilds a ledger whose state is not the quorum's;  ledgers: the folders beside it
    rebuild     a ledger anew out of the blocks of another;  recover: after a fork, by a signed plan
    life        says when contracts are frozen
    tally       what the node counts;  metrics, metrics_page: how it shows that
    accusations proof of misbehavior, kept on disk;  findings: read back for people
    complaints  the log's share of it
    admin/      orders to a running node from who runs it;  local: the sockets for him
    hosts       which addresses are of this machine alone
    audit       replays a ledger from its genesis and trusts nothing else
"""

from typing import Final

VERSION: Final = "0.1.0"
