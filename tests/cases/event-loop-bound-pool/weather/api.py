from fastapi import FastAPI
from sqlalchemy import text

from weather.database import Session

app = FastAPI()


@app.get("/now")
async def now():
    async with Session() as session:
        return {"stations": await session.scalar(text("select count(*) from pg_catalog.pg_am"))}
