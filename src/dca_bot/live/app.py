"""One trading process: the streams, the desk and the loops beside them, from start to clean end.

Rule: every task belongs to the TaskGroup; an unexpected exception in one ends the process, and
the watchdog starts a new one.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from dca_bot import heartbeat
from dca_bot.broker.streams import QuoteStream, TradeStream
from dca_bot.clock import utc_now
from dca_bot.errors import DcaError
from dca_bot.live.desk import Desk
from dca_bot.live.upkeep import (
    follow_database,
    follow_rules,
    keep_orders_settled,
    look_after_quiet_symbols,
)
from dca_bot.live.worker import Surroundings
from dca_bot.ports import Broker, Store
from dca_bot.settings import Settings
from dca_bot.store.instance_lock import InstanceLock
from dca_bot.trader import Trader

log = logging.getLogger(__name__)

WORKERS = 16  # how many assets may wait for the database or for Alpaca at the same time
HEARTBEAT_SECONDS = 2.0
STOP_SECONDS = 3.0  # of the 5 s that the end may take; closing the sockets needs the rest
