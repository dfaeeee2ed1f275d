from typing import Annotated, Optional

from fastapi import Depends, FastAPI
from sqlmodel import Field, Session, SQLModel, create_engine, select

engine = create_engine("sqlite:///heroes.db")


class Hero(SQLModel, table=True):
    id: Optional[int] = Field(default=None, primary_key=True)
    name: str


def get_session():
    with Session(engine) as session:
        yield session


app = FastAPI()


@app.get("/heroes")
def read_heroes(session: Annotated[Session, Depends(get_session)]):
    return session.exec(select(Hero)).all()
