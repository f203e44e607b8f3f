"""Multi-party computation of three parties: joint statistics under ABY3 (clause 8.2).

What it is not: malicious-secure. The model is three parties, semi-honest, an honest majority.

Reading order: program (what is asked), layout and results (what comes out), plain (the same in
the clear), inputs (from cells to vectors), shares (secret parts as bytes), record (what is said on
chain), tls (one-task certificates), job (what passes to the subprocess), launch (the executor's
side), party (the subprocess), tunnel (its links to the others), engine and statistics (SPU and
JAX; imported only by party), reveal (the receiver's side).
"""
