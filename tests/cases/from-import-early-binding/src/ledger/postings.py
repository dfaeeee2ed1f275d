from sqlalchemy import text

from ledger.db import SessionLocal  # <- also


async def post(amount):
    async with SessionLocal() as session:  # <- culprit
        await session.execute(text("insert into entries (amount) values (:amount)"), {"amount": amount})
        await session.commit()
