"""Child programs that measure one thing each, raw sample by raw sample, and print one JSON object."""
