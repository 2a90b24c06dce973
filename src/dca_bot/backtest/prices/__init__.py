"""Prices to play through: where they come from, and how they are searched."""
