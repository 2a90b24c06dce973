"""The verbs that act: each says what it will do, asks, does it, and says what is left at Alpaca."""
