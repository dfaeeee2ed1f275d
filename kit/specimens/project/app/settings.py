"""Where the application finds its database, read from the environment."""

import os
from typing import Any

ENGINE_OPTIONS: dict[str, Any] = {"pool_size": 5}


def database_url() -> str:
    """The URL of the database to use.

    INTEGRATION_DATABASE_URL goes first, so that the integration tests can point the application at a
    deployed database. Developers and tests set DATABASE_URL. Where the application is deployed, only
    PRODUCTION_DATABASE_URL is set.
    """
    environment = os.environ
    return (
        environment.get("INTEGRATION_DATABASE_URL")
        or environment.get("DATABASE_URL")
        or environment["PRODUCTION_DATABASE_URL"]
    )
