"""The command `supervisor`: it starts the actors, watches them, and answers questions about them."""
