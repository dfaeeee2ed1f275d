from fastapi import APIRouter, Depends
from sqlalchemy import delete, func, select

from library.books import get_session
from library.tables import books

router = APIRouter()


@router.get("/count")
async def count(session=Depends(get_session)):
    return await session.scalar(select(func.count()).select_from(books))


@router.delete("/books", status_code=204)
async def remove_all(session=Depends(get_session)):
    await session.execute(delete(books))
    await session.commit()
