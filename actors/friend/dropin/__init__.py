"""The friend for a host that is no actor of ours: one file, to be copied."""
