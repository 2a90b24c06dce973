"""Private surroundings for demo, end-to-end test, tests and benchmarks: a MariaDB, a simulated
exchange, child processes and their environment."""
