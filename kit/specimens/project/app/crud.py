"""Queries on sites, for the routes and for scripts.

Each takes the caller's session; without one, it opens a session of its own, so that a script can call it
in one line.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import SessionLocal
from app.models import Site


@asynccontextmanager
async def session_for(caller: AsyncSession | None) -> AsyncIterator[AsyncSession]:
    if caller is not None:
        yield caller
        return
    async with SessionLocal() as session:
        yield session


async def list_sites(db: AsyncSession | None = None) -> Sequence[Site]:
    async with session_for(db) as session:
        return (await session.scalars(select(Site).order_by(Site.id))).all()


async def get_site(site_id: int, db: AsyncSession | None = None) -> Site | None:
    async with session_for(db) as session:
        return await session.get(Site, site_id)


async def create_site(name: str, url: str, db: AsyncSession | None = None) -> Site:
    async with session_for(db) as session:
        site = Site(name=name, url=url)
        session.add(site)
        await session.commit()
        await session.refresh(site)
        return site
