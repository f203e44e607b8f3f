"""What drawn scenarios and fuzzing found, made small: each stays as a test."""
