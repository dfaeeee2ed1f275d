import asyncpg
from fastapi import FastAPI, Request

app = FastAPI()


async def connect(url):
    app.state.pool = await asyncpg.create_pool(url, min_size=1, max_size=2)


@app.post("/items/{name}", status_code=201)
async def add(name: str, request: Request):
    await request.app.state.pool.execute("insert into items (name) values ($1)", name)


@app.get("/items")
async def items(request: Request):
    return [row["name"] for row in await request.app.state.pool.fetch("select name from items order by name")]
