"""Two live Postgres servers, production with its 731 sites and test without, and what each says it is.

Importing this package loads no database driver.
"""

from __future__ import annotations

from kit.pair.logs import LogLine, ServerLog
from kit.pair.model import IDENTITY_SQL, SEEDED_SITES, Identity, Kind, Pair, Side, SideName
from kit.pair.opening import open_pair
from kit.pair.running import check, down, status, told, up

__all__ = [
    "IDENTITY_SQL",
    "SEEDED_SITES",
    "Identity",
    "Kind",
    "LogLine",
    "Pair",
    "ServerLog",
    "Side",
    "SideName",
    "check",
    "down",
    "open_pair",
    "status",
    "told",
    "up",
]
