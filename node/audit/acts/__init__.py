"""Acts (行为): every transaction of a replayed chain, with who acted and what it concerned.

Nothing here is believed: blocks and receipts come from the ledger that a replay made itself, up to
the last height that held.

values      contract values as JSON
forms       kinds of subjects, and how arguments and fields name them
subjects    which argument of which contract names which subject
events      which field of which event does
plain       names that name no subject
interfaces  names of the arguments, by the source that the chain ran
register    which party an account spoke for, and in what standing
lineage     what was made of what: task of a grant, product of a task, delivery of a product
accounts    which statement charges for what
joint       what joint accounts did: calls that several members decided together
act         the acts in order
access      who was let in on what, and who received what
graph       the nodes and edges that custody is made of
custody     the chain of custody (保管链) of a product, with the proof of every link
links       which links of it hold, and which are missing
"""

from node.audit.acts.act import Act, Reader

__all__ = ["Act", "Reader"]
