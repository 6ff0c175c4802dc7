"""What the user asks of the friend: talk, look, pause, forget, try."""
