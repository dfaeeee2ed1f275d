from typing import Annotated

import aiosqlite
from fastapi import Depends, FastAPI

from cookbook.config import DB_FILE

app = FastAPI()


async def database():
    async with aiosqlite.connect(DB_FILE) as connection:
        await connection.execute("create table if not exists recipes (title text)")
        yield connection


Database = Annotated[aiosqlite.Connection, Depends(database)]


@app.post("/recipes/{title}")
async def add(title: str, connection: Database):
    await connection.execute("insert into recipes (title) values (?)", (title,))
    await connection.commit()


@app.get("/recipes")
async def titles(connection: Database):
    async with connection.execute("select title from recipes") as rows:
        return [title async for (title,) in rows]
