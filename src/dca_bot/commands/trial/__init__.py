"""Verbs that try settings on recorded prices; they place no order and need no account."""
