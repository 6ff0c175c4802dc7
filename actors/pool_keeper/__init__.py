"""The pool-keeper: sole writer of the dream pool, and the learner's only door to it."""
