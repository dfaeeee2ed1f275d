import os

from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.pool import NullPool

engine = create_async_engine(os.environ["DATABASE_URL"], poolclass=NullPool)  # <- also


async def get_session():
    async with AsyncSession(engine) as session:
        yield session
