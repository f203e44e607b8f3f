"""Records, canonical bytes, authenticated state and its storage.

Here is what the chain is: which records there are, which bytes stand for them, which hashes bind
them, and how they rest on a disk. Nothing here decides what comes next (consensus), what a call
does (contracts), or talks to anyone; and nothing here verifies execution (audit does).

    errors        what can be wrong, one type each
    encoding      canonical bytes of records; untrusted bytes decode or raise DecodeError
    model         the records: transactions, proposals, blocks, receipts, certificates
    values        canonical bytes of contract values
    genesis       the one file that is trusted, and its JSON form
    merkle        the list tree over the transactions or receipts of a block
    certificates  what votes sign; verification of commit and execution certificates
    committee     which committee orders which height, and what it signs for
    recovery      after a fork beyond f: the organizations' word from which block the chain goes on
    blocks        the rule that makes a block from an ordered proposal
    proof         hashes of the state tree, proofs of state and their verification
    bundle        a file that proves one fact to whoever holds the genesis
    folds         roots over parts of the state tree, in Python;  hashes: these or compiled ones
    pages         parts of the state tree as they are stored
    stem          its upper levels, in memory
    state         the state tree: stage writes, accept them, prove
    schema        where everything stands in LevelDB
    tables        bytes of LevelDB's files that LevelDB does not check
    mark          the number of the last acknowledged write, beside the database
    disk          LevelDB with our settings and errors
    records       typed reading of what is stored
    base          where a ledger begins: what is kept of the heights below
    scrub         checks of a stored ledger
    locate        which block a damaged ledger is damaged at
    prune         what a ledger loses when its base rises, step by step
    commit        what one block changes, and the rows that store it
    store         the ledger: commit, certify, read, snapshot, prove, scrub, prune
    snapshot      the state after a block in chunks that prove themselves
    snapshot_make  makes one beside commits;  snapshot_file: one as a file
    joining       a ledger being made out of a snapshot
    history/      what was, in a database beside it: derived, believed for nothing
    archive       a chain, or a run of its heights, in one file;  archive_reader: not believed

`certificates`, `blocks`, `proof`, `bundle` and what they need import no storage, so consensus and
light clients can use them.
"""
