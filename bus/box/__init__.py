"""The box: what the kernel keeps a process from, whatever its code does (design, section 3)."""
