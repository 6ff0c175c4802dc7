"""The dreamer: imagines colour tensors and hears nothing but BiasProfile (seed 000, section 1)."""
