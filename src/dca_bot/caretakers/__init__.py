"""What the three caretaker scripts share."""
