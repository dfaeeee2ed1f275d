from functools import cache

from sqlalchemy import Engine, create_engine

from weather import settings


@cache
def get_engine() -> Engine:
    return create_engine(settings.DATABASE_URL)
