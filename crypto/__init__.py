"""National cryptography (clause 8.1.2): SM2, SM3, SM4, keys and providers.

Not a general toolbox: one curve, one hash, one cipher, one form of every signature (64 bytes
r||s), key (64 bytes X||Y, 32 bytes d) and ciphertext (C1||C3||C2). Nothing here logs, and no
exception or repr carries a key.

Files in reading order:
    errors      what can go wrong, one tree
    sm3         the hash, HMAC
    curve       the numbers of the curve; which keys and points are valid
    der         strict DER, as much as keys and signatures need
    libcrypto   the system's OpenSSL through cffi; knows its C
    sm2         sign, verify, encrypt, decrypt
    sm4         authenticated encryption (GCM), CBC for key files
    envelope    seal bytes to a public key
    files       names that outlive a power failure
    keys        encrypted PKCS#8 key files that the openssl command line opens
    agent/      a process that keeps passphrases in locked memory, for a while
    passphrase  where daemons take theirs from: file, environment, agent
    provider    CryptoProvider: where a node's key lives and who verifies
    x509/       certificates of organizations and who acts for them
    smtls       TLS 1.3 with these algorithms (RFC 8998), between bytes and bytes
    native/     SM3 over batches, our own C (ADR 24); only for public data
    providers/  software (this process); hardware modules come beside it

Importing a module of this package stays cheap (the C library is opened at first use); only sm4,
and with it envelope, keys, x509 and smtls, import the `cryptography` package.
"""
