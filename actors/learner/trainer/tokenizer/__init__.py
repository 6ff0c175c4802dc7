"""Reversible tokenizers of text and of images (seed 002, section III)."""
