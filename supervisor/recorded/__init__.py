"""What is done with recorded runs: replay, verify, keep, export, list what was said, trace what led to what.

Everything here reads journals and nothing writes one; the commands `replay`, `record`, `topic` and `trace` show it.
"""
