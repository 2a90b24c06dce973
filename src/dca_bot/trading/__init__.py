"""Decide, intend, submit, and the one door by which every fill enters the books."""
