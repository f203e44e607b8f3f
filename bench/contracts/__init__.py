"""Contracts that only benchmarks deploy, in the contract dialect. `transfer.py`: moving units."""
