"""The trainer: configuration, datasets, tokenizers, models, training, validation and reports (seed 002)."""
