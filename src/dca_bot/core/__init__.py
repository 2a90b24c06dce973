"""Pure rules: no I/O, no clock, no logging, Decimal only; imports nothing of ours outside core."""
