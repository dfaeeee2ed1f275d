"""Two live Postgres servers (production with 731 sites, test with none) and the identity that each reports.

Importing this package loads no database driver.
"""

from __future__ import annotations

from kit.pair.logs import LogLine, ServerLog
from kit.pair.model import IDENTITY_SQL, SEEDED_SITES, Identity, Kind, Pair, Side, SideName
from kit.pair.opening import open_pair, pair_in_use
from kit.pair.running import OWNER_VARIABLE, check, description, down, status, up

__all__ = [
    "IDENTITY_SQL",
    "OWNER_VARIABLE",
    "SEEDED_SITES",
    "Identity",
    "Kind",
    "LogLine",
    "Pair",
    "ServerLog",
    "Side",
    "SideName",
    "check",
    "description",
    "down",
    "open_pair",
    "pair_in_use",
    "status",
    "up",
]
