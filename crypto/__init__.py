"""National cryptography (clause 8.1.2): SM2, SM3, SM4, keys and providers."""
