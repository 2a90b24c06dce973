"""A stand-in for Alpaca on one local port: its REST, both websockets, and a control API.

It shares no code with the bot, so that an error in one is not mirrored in the other.
"""
