"""What can be set from outside."""

from pathlib import Path

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Each is a variable of its name, with DEPOT_ before it."""

    model_config = SettingsConfigDict(env_prefix="DEPOT_")

    database_url: str = f"sqlite:///{Path(__file__).parents[1] / 'depot.db'}"
    page_size: int = 20


settings = Settings()
