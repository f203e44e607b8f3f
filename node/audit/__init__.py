"""Audit: replays a chain from its genesis and trusts nothing else (5.3d, 8.1.3b, 8.1.4d).

verdict     what a replay found: the first divergence with its exact cause, figures, anomalies
sources     what can be replayed: a ledger or an archive
signatures  every signature of a block, verified ahead on all cores
causes      why a block does not follow, named as exactly as it can be
outcomes    what executing a block gave against what the source says
work        the replay's own ledger, kept so that a long replay can go on after a pause
replay      all of that, block by block
report      a verdict as a signed document;  page: the same for people;  parts: what documents share
acts        every act of a replayed chain, access and custody
books       jobs, agreements and bills worked out a second time;  books_page: for people
tables      the chain as CSV, JSON and Parquet;  files: the folder that they go into
answers     an auditor's questions;  answers_page: for people;  manifest: what stands behind them
outputs     answers and tables as a folder, signed
"""

from node.audit.replay import Replayed, replay, replayed
from node.audit.verdict import Divergence, Kind, Verdict

__all__ = ["Divergence", "Kind", "Replayed", "Verdict", "replay", "replayed"]
