from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from crm.database import Customer, get_engine, get_session


@asynccontextmanager
async def lifespan(app):
    yield
    await get_engine().dispose()


app = FastAPI(lifespan=lifespan)
SessionDep = Annotated[AsyncSession, Depends(get_session)]


@app.post("/customers/{name}", status_code=201)
async def create(name: str, session: SessionDep):
    session.add(Customer(name=name))
    await session.commit()


@app.get("/customers")
async def names(session: SessionDep) -> list[str]:
    return list(await session.scalars(select(Customer.name).order_by(Customer.id)))
