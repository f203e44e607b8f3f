"""Records, canonical bytes, authenticated state and its storage."""
