"""The nightly-observer: looks at a day that is over, and seals what it dreams of it (seed 004)."""
