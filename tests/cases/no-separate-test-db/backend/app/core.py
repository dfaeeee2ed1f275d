from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy import create_engine


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_file=".env")

    PROJECT_NAME: str
    SQLALCHEMY_DATABASE_URI: str


settings = Settings()
engine = create_engine(settings.SQLALCHEMY_DATABASE_URI)
