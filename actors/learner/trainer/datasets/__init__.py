"""Labelled images from files, and how they are divided (seed 002, sections III and IV.2)."""
