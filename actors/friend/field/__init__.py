"""The field that lives inside the friend: it hears, it speaks, and it fades."""
