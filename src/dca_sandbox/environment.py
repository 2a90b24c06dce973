"""Everything that programs started by the demo or by integration_test.py get.

Rule: made from scratch, with every setting by name: the environment wins over the user's `.env`,
so what is named here cannot come from there.
"""

from __future__ import annotations

import os
from pathlib import Path

from dca_bot.program.setting_groups import AlpacaSettings, DatabaseSettings


def environment(
    database: DatabaseSettings, alpaca: AlpacaSettings, log_dir: Path
) -> dict[str, str]:
    """The whole environment of main_app.py and the caretakers."""
    return {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "APCA_API_KEY_ID": alpaca.key_id,
        "APCA_API_SECRET_KEY": alpaca.secret_key,
        "APCA_API_BASE_URL": alpaca.base_url,
        "APCA_API_DATA_URL": alpaca.data_url,
        "APCA_API_STREAM_URL": alpaca.stream_url,
        "DB_HOST": database.host,
        "DB_PORT": str(database.port),
        "DB_USER": database.user,
        "DB_PASSWORD": database.password,
        "DB_NAME": database.name,
        # empty counts as unset: no mail, no messages, no limits
        "ALERT_URLS": "",
        "ALERT_ON_TRADES": "",
        "ALERT_DIGEST": "",
        "MAX_ACTIVE_CYCLES": "",
        "MAX_INVESTED": "",
        "DAILY_LOSS_LIMIT": "",
        "ALERT_EMAIL_SENDER": "",
        "ALERT_EMAIL_RECEIVER": "",
        "ALERT_EMAIL_SMTP_SERVER": "",
        "ALERT_EMAIL_SMTP_PORT": "",
        "ALERT_EMAIL_SMTP_USER": "",
        "ALERT_EMAIL_SMTP_PASSWORD": "",
        # minutes become seconds, as with the caretakers' schedule
        "STALE_ORDER_SECONDS": "10",
        "ORPHAN_ORDER_SECONDS": "20",
        "STUCK_SELL_SECONDS": "20",
        "ASSET_REFRESH_SECONDS": "1",
        "QUOTE_MAX_AGE_SECONDS": "10",
        "HEARTBEAT_MAX_AGE_SECONDS": "20",
        "WATCHDOG_START_SECONDS": "20",
        "PROBLEM_MAIL_SECONDS": "30",
        "PAGE_PASSWORD": "",
        "LOG_LEVEL": "INFO",
        "LOG_DIR": str(log_dir),
    }
