"""Dreams as examples of a training run: pinned before its first step, judged in pairs (seed 002, section VII)."""
