"""The scenarios by theme; integration_test.py numbers them."""
