"""The bot as a process: its heartbeat, its health, its incidents, and the mails about them."""
