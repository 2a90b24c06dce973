"""The long-running process: asyncio lives here (and in broker/streams.py), nowhere else."""
