"""What a training run leaves for people and programs: the same run, the same bytes (seed 002, sections IV.5 and IX)."""
