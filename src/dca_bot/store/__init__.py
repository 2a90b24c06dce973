"""The tables: connection, rows, the MySQL store, and an in-memory store with the same contract."""
