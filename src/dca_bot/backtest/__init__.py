"""What settings would have earned: `core/` decides over recorded prices.  Nothing here can order.

Rule: imports only `core` and the errors, so that no rule of trading is written a second time.
"""
