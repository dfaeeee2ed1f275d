from sqlalchemy import text

from ledger import db


async def balance():
    async with db.SessionLocal() as session:
        return await session.scalar(text("select coalesce(sum(amount), 0) from entries"))
