"""What a trained model is worth: figures, baselines, bias and drift, from predictions alone (seed 002, section III)."""
