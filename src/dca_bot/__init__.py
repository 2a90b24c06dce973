"""The DCA trading bot for Alpaca; docs/architecture.md shows its layers."""
