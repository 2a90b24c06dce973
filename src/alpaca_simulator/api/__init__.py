"""The REST APIs of trading and of market data, and the control API."""
