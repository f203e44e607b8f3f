"""PBFT as a state machine: `Replica.step(input) -> [effects]`. No I/O, clock, randomness, keys.

It orders proposals (lists of transaction ids), one per height, and collects what replicas say
about the executed blocks. It does not hold transaction bodies, make blocks, sign, verify
signatures, or know the disk; all that is the driver's part.

Files, in reading order: types (inputs, effects, configuration), messages (what travels), verify
(the signatures a message carries), wal (what is durable), quorum (vote counting), schedule (who
proposes), new_view (the pure rule of NEW-VIEW), timing (how long to wait); then the parts of the
machine on one shared state: state, ordering (three phases), checkpoint (what was executed),
repair (lost messages), view_change, recovery; and replica, which routes an input to its part.

The driver's contract
---------------------
Start.    `Replica.recover(config, recovered)` makes a replica, also a new one (head 0, no
          records). Then step a `Tick`; every effect comes from `step`.
Steps.    One at a time, from one task: votes, block sync, execution results and ticks share this
          one serial queue. `step` raises for nobody's fault but ours (AssertionError).
Effects.  Perform the list in order. Nothing that follows a `Persist` may leave before it is
          durable; the lists of several steps may share one sync if that order is kept.
Persist.  Append `record` to the log (`wal.frame`). If `proposal` is given, the bodies of its
          transactions must be durable in the same sync (frames of kind TRANSACTION): a replica
          that prepared a proposal must be able to serve its bodies after a restart, or a crash
          of all replicas loses what was ordered.
Broadcast Sign `messages.signing_bytes(chain_id, message)` with the validator's key, send to all
          others and step the same thing back as `Received(own index, message, signature)`.
          Sending may fail silently; the replica repairs losses itself on `Tick`.
Send      Sign and send to one peer; not stepped back.
Receive   `messages.decode_message` (DecodeError: drop the frame), then `verify.claims(message,
          sender, validators, chain_id, base=...)` (ClaimInvalid: drop), then check every SignedItem
          it returns and `verify.outer_claim` (the sender's own); all good: step `Received`.
          Drop what comes from the network in our own name. A cache of verified items pays:
          NEW-VIEW and repeated messages carry signatures that were seen before.
Validate  Make sure that all bodies of the proposal are at hand and properly signed (fetch the
          missing ones from `holders` first, then from anyone) and, if `is_fresh`, that its time
          is within bounds and its size within limits, and of one without ids (a heartbeat) that
          it is due: its predecessor is executed here and lies long enough back, and nothing is
          known that should have been ordered instead. Answer `ProposalValidated` once. If
          `is_fresh` is False a quorum has vouched already: only availability counts, keep
          trying until the answer is yes or the height was delivered or synced.
FetchProposal  Ask `holders` for the proposal of that digest; peers answer from
          `replica.proposal(digest)`. Answer `ProposalFetched`. It is repeated while missing.
Deliver   Heights ascend by one from the recovered head, each exactly once per life of the
          process; bodies are at hand (its Validate was answered yes, or the proposal is our own
          or null). Execute in order, commit durably with the certificate, then step
          `Executed(statement)`. Blocks that were delivered but not durable before a crash are
          delivered again, because the head did not pass them.
Certify   A quorum signed the statement that equals our own for an executed height: store it.
          Heights ascend by one; after a restart they go on from the recovered certificate.
          During block sync one may repeat what sync has just installed.
CatchUp   We are behind `height`, which `certificate` proves. Nothing delivered is unfinished, and
          no Deliver comes until `Synced`. Install the blocks above the head, each proved by its
          commit certificate, at least up to `height`, and the execution certificates missing
          from the highest gapless one on; any of these but the goal's may exist nowhere (a
          quorum of statements was never seen together), so do not make a block wait for it.
          Then step `Synced`, also with less if peers do not help: the replica asks again.
Accuse    Two contradictory signed messages of one validator: evidence, keep it. Goes on anyway.
Halt      Our state differs from a quorum's (DIVERGED), or more than f replicas lie (CONFLICT):
          stop executing and signing, raise an alert, keep the evidence. `step` returns nothing
          from then on. After DIVERGED the state may be rebuilt from what a quorum certified, and
          a new life recover from it with the old log: votes are promises. `disowned` is then the
          highest height that any earlier life executed. What it said of those outcomes may have
          been wrong, and saying what is right now would contradict it, so nothing is said.
Epochs    A replica serves one committee: it orders the heights above `config.base`. When a block
          decides a change of the committee that takes effect at height e (more than a window above
          it), give `last = e - 1` with `Executed`, `Synced` and `Recovered` from then on. Frames
          name the epoch of their sender (`SignedMessage.epoch`): give the replica only those of
          its own; answer an earlier one with the certificate that ended it, so that its sender
          can catch up and follow; later ones may wait until we get there.
Retire    The last height is executed and certified: nothing is said any more. When the certificate
          is durable, clear the log and recover a replica of the next epoch, if we are in it.
Tick      Every TICK_MS. `pending`: something should be proposed. Either the mempool holds a
          transaction for which `replica.is_in_flight(id)` is false, or a heartbeat is overdue.
          `withheld`: one such transaction was passed over for too long although blocks went by.
          Show what waits to `replica.proposer` again, and what waits for seconds to all: one
          that few know is easy to withhold, and whoever waits alone can only leave the view
          alone.
Propose   When `replica.can_propose`, step `BatchReady` with ids that are not in flight, at most
          `transactions_max`, ascending, bodies at hand and valid, and the time now (above 0).
          Ask again after every step: several heights may be in flight. Offer a batch without
          ids only when the others will find it due (see Validate): they refuse any other, and a
          refused proposal costs us the view.
Compact   When the log has grown, replace it atomically by the frames of
          `replica.compacted()` (a list of Persist; bodies as above).
"""
