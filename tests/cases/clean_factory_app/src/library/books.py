from fastapi import APIRouter, Depends, Request
from sqlalchemy import insert, select

from library.tables import books

router = APIRouter(prefix="/books")


async def get_session(request: Request):
    async with request.app.state.sessions() as session:
        yield session


@router.put("/{title}", status_code=204)
async def lend(title: str, session=Depends(get_session)):
    await session.execute(insert(books).values(title=title))
    await session.commit()


@router.get("")
async def titles(session=Depends(get_session)):
    return (await session.scalars(select(books.c.title))).all()
