"""Faults on real brokers: each row of the matrix, then the invariants."""
