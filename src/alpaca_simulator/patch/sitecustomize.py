"""Sends Alpaca's SDKs to a simulator: Python runs this at its start, as it is on PYTHONPATH.

Many programs have no option for the address and use what their SDK has built in. So the tables of
addresses are changed as soon as the SDK is imported; nothing else is.
"""

import importlib.util
import os
import sys
from enum import Enum
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

URL = os.environ.get("ALPACA_SIMULATOR_URL", "")
WS_URL = URL.replace("http", "ws", 1)


def _patch_alpaca_py(module: ModuleType) -> None:
    def moved(member: Any) -> str:
        if not member.value.startswith("wss:"):
            return URL
        return WS_URL + ("/stream" if member.name.startswith("TRADING_STREAM") else "")

    # Members of this enumeration are texts themselves, so the whole of it is made anew.
    addresses = {member.name: moved(member) for member in vars(module)["BaseURL"]}
    make: Any = Enum
    vars(module)["BaseURL"] = make("BaseURL", addresses, type=str, module=module.__name__)


def _moved(addresses: Any) -> Any:
    """The same table with the simulator's host in every address; paths stay."""
    if isinstance(addresses, dict):
        return {name: _moved(address) for name, address in addresses.items()}
    if not isinstance(addresses, str):
        return addresses
    scheme, _, rest = addresses.partition("://")
    return (WS_URL if scheme.startswith("ws") else URL) + "".join(rest.partition("/")[1:])


def _patch_ccxt(module: ModuleType) -> None:
    plain = module.alpaca.describe

    def describe(self: Any) -> Any:
        described = plain(self)
        for network in ("api", "test"):
            described["urls"][network] = _moved(described["urls"].get(network))
        return described

    module.alpaca.describe = describe


PATCHES = {
    "alpaca.common.enums": _patch_alpaca_py,
    "ccxt.alpaca": _patch_ccxt,
    "ccxt.async_support.alpaca": _patch_ccxt,
    "ccxt.pro.alpaca": _patch_ccxt,
}


class _Finder:
    """Finds the modules to be patched, and lets the others be found as ever."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name not in PATCHES:
            return None
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            sys.meta_path.insert(0, self)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            PATCHES[name](module)

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def _run_the_other_sitecustomize() -> None:
    """A sitecustomize that this one stands in front of still runs."""
    here = Path(__file__).resolve().parent
    for folder in sys.path:
        path = Path(folder or ".") / "sitecustomize.py"
        if path.is_file() and path.resolve().parent != here:
            spec = importlib.util.spec_from_file_location("_other_sitecustomize", path)
            if spec is not None and spec.loader is not None:
                spec.loader.exec_module(importlib.util.module_from_spec(spec))
            return


if URL:
    sys.meta_path.insert(0, _Finder())
_run_the_other_sitecustomize()
