"""Experiments: the real cores together, on the bus in memory, with arms that differ in one thing."""
