"""Providers of cryptography: `software` keeps the key in this process.

Not here: what they have in common (`crypto.provider`) and key files (`crypto.keys`).
"""
