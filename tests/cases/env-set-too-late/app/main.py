from fastapi import Depends, FastAPI
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from app.database import get_session

app = FastAPI()


@app.get("/sites/count")
async def count_sites(session: AsyncSession = Depends(get_session)):
    return await session.scalar(text("select count(*) from sites"))
