"""Deterministic simulation of the whole system: one process, virtual time, one seed (design, section 3)."""
