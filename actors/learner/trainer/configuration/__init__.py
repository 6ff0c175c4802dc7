"""What a training run is told, read once, strict, and hashed (seed 002, sections III, IV.1 and V)."""
