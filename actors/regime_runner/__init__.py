"""The regime-runner: runs trials of nine domains in four regimes, compares, and writes down what holds."""
