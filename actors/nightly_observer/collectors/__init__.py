"""Readers of what a night looks at; each reads, counts what it cannot read, and writes nothing."""
