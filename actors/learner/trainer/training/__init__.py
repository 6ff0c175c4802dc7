"""The training loop: batches in a fixed order, optimizers, schedules, losses, a chained log, checkpoints."""
