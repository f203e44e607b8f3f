"""Real processes, real sockets, a real ledger."""
