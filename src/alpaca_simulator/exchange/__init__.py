"""The exchange itself: its pairs, its orders, its account; no sockets, no timers."""
