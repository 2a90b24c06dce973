"""Which process of this host has a connection to a server, as the kernel knows it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


def process_behind(client: str, server_port: int) -> int | None:
    """The process that is `client` ("host:port", as the server lists it) of a server's port.

    None: it runs on another host or as another user, or this system doesn't tell.
    """
    port = client.rpartition(":")[2]
    inode = _inode(int(port), server_port) if port.isdecimal() else None
    if inode is None:
        return None
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):  # another user's, or closed meanwhile
            if str(descriptor.readlink()) == f"socket:[{inode}]":
                return int(descriptor.parts[2])
    return None


def _inode(port: int, server_port: int) -> str | None:
    """Of the socket between these ports; each line has "address:port" twice, in hex."""
    for table in TABLES:
        with suppress(OSError):
            for line in table.read_text().splitlines()[1:]:
                fields = line.split()
                ports = [int(each.rpartition(":")[2], 16) for each in fields[1:3]]
                if ports == [port, server_port]:
                    return fields[9]
    return None
