"""What `supervisor regimes` shows: rows, plans, packs, baselines, caps, reports."""
