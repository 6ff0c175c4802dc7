"""Nights from the user's side: asked for, checked, opened, compared and shown (seed 004)."""
