from typing import Annotated

from fastapi import Depends, FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from .storage import session

api = FastAPI(title="Catalogue, version 1")


@api.get("/titles")
async def titles(db: Annotated[AsyncSession, Depends(session)]):
    return {"count": await db.scalar(text("select count(*) from titles"))}
