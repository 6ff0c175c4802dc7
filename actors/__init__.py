"""The actors: one folder each, of one shape; none knows another."""
