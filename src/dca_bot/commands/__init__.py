"""The command `dca`: one module a verb."""
