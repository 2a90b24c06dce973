"""The parts of integration_test.py: what it needs around the bot, and its scenarios."""
