"""The proof bites: one-line mistakes, put into the code one at a time, that the tests must catch.

`sabotages.toml` is the list, `python -m tests.proofs.sabotage` goes through it.
"""
