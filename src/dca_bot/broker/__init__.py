"""Alpaca: REST, the two streams, and the translation of its words; floats stop here."""
