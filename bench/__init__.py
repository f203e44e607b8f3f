"""What the network does under load, beside what the machine could do at best.

references   raw rates of the same machine in the same run: SM2 verification, LevelDB
network      real nodes on this machine, their quotas lifted
flow         which transactions may go: within a window, and after what they wait for
load         signing, an open-loop and a saturating sender, a watcher of certified blocks
processes    processor time and memory of the nodes
report       the table, for people and for docs/benchmarks.md
__main__     make bench

vm           make bench-vm: contract calls beside plain Python
vm_rig       the machine in process and jailed, over one state
vm_unmetered the workloads compiled without gas
vm_report    its tables
ledger       make bench-ledger: commits, proofs, opening and memory by size of state
ledger_size  one size, in a process of its own
ledger_chain blocks on a store whose state has any number of keys
ledger_report its tables and bounds
history      make bench-history: what the history costs commits, how it follows and answers
net          make bench-net: votes and blocks over TLS, beside Noise and plain TCP
net_links    those ways to be linked, each as a dialer and as one who answers
borrowed     libp2p's Noise and plaintext, which no node speaks
access       make bench-access: a modest client beside a greedy one
quotas       networks whose clients may ask as much as they can
business     make bench-business: grants, evidence and tasks beside plain transfers
business_acts what the parties do there, as data
business_report its table
replay       make bench-replay: an audit beside verifying alone
signed_chain what it replays, made in one process
gas          make bench-gas: ns and bytes per unit of gas
gas_rows     the operations it times, each a small program
gas_memory   programs that keep all they can
gas_report   its tables
gas_page     the generated parts of docs/gas.md
plain        the same blocks in plain Python: the reference
"""
