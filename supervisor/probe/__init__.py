"""Escapes from the box, tried for real from inside it, against a world that is made to be robbed and thrown away."""
