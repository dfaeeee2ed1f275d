from typing import Annotated

from fastapi import Depends, FastAPI
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.core import engine, settings


def get_db():
    with Session(engine) as session:
        yield session


SessionDep = Annotated[Session, Depends(get_db)]
app = FastAPI(title=settings.PROJECT_NAME)


@app.get("/members")
def members(session: SessionDep):
    return session.scalars(text("select name from members")).all()
