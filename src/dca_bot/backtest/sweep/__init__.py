"""Many sets of values over the same prices, as fast as the machine can."""
