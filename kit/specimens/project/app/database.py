"""The engine, the sessions made from it, and the session of a request."""

from collections.abc import AsyncIterator

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

from app import settings

engine = create_async_engine(settings.database_url(), **settings.ENGINE_OPTIONS)
SessionLocal = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    """What every model is derived from."""


def get_async_engine_instance() -> AsyncEngine:
    return engine


async def get_db() -> AsyncIterator[AsyncSession]:
    """The session of one request, for routes that ask for it with Depends."""
    async with SessionLocal() as session:
        yield session
