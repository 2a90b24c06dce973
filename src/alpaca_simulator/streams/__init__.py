"""The two websockets."""
