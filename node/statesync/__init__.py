"""State sync (状态同步): a new node begins with a certified snapshot instead of the genesis block.

messages   what is asked and told on the channel of snapshots
keeper     makes snapshots on a live node and keeps the newest
serve      answers peers, at a bounded pace
verify     what proves the blocks before a snapshot
crowd      peers that are asked, and those that are not asked any more
join       chooses a snapshot, fetches it from many, makes a ledger of it
begin      when a node does that, with which network
carry      a snapshot in a file
"""
