"""Mutation testing of what decides over contracts: check, compile and verify."""
