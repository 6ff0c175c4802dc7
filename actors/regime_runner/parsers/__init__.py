"""Readers of what measuring programs print: one file for each format."""
