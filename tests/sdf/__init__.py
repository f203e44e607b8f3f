"""A cryptographic device in software, for tests: a library with the interface of GM/T 0018."""
