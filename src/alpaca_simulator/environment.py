"""What a program needs in its environment to reach a simulator instead of Alpaca."""

import os
from collections.abc import Mapping
from pathlib import Path

PATCH = Path(__file__).parent / "patch"


def environment(
    url: str, key: str, secret: str, inherited: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Given where a simulator listens, returns the environment of a program that is to use it.

    Every convention of docs/alpaca.md 7 is served; SDKs without one are patched at their import.
    """
    ws_url = url.replace("http", "ws", 1)
    host = url.partition("://")[2]
    ours = {
        "ALPACA_SIMULATOR_URL": url,
        # the older SDKs for Python, Go and JavaScript, and the paper-trading documents
        "APCA_API_BASE_URL": url,
        "APCA_API_DATA_URL": url,
        "APCA_DATA_BASE_URL": url,
        "APCA_API_STREAM_URL": ws_url,
        "APCA_RETRY_MAX": "3",
        "DATA_PROXY_WS": ws_url,
        "DATA_CRYPTO_PROXY_WS": f"{ws_url}/v1beta3/crypto/us",
        # the SDK for Java, the MCP server, the command line
        "APCA_TRADING_BASE_URL": url,
        "TRADE_API_URL": url,
        "TRADE_API_WSS": f"{ws_url}/stream",
        "DATA_API_URL": url,
        "STREAM_DATA_WSS": f"{ws_url}/v1beta3/crypto/us",
        "ALPACA_BASE_URL": url,
        "ALPACA_DATA_URL": url,
        "ALPACA_PAPER_TRADE": "true",
        "ALPACA_PAPER": "true",
        "NO_PROXY": f"127.0.0.1,localhost,{host.rpartition(':')[0]}",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(PATCH), inherited.get("PYTHONPATH")))),
    }
    keys = ("APCA_API_KEY_ID", "APCA_TRADING_KEY_ID", "APCA_KEY_ID", "ALPACA_API_KEY")
    secrets = (
        "APCA_API_SECRET_KEY",
        "APCA_TRADING_SECRET_KEY",
        "APCA_KEY_SECRET",
        "ALPACA_SECRET_KEY",
        "ALPACA_API_SECRET",
    )
    return {
        **inherited,
        **ours,
        **dict.fromkeys(keys, key),
        **dict.fromkeys(secrets, secret),
    }
