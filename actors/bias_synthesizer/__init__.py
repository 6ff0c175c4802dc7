"""The bias-synthesizer: turns stored feedback into the hint that the dreamer hears, and explains every number of it."""
