"""Training runs of the user's: carried out, kept, proved again, compared and shown."""
