"""Parcels that come and go."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, FastAPI
from sqlmodel import Field, Session, SQLModel, create_engine, select

from app.settings import settings

engine = create_engine(settings.database_url, hide_parameters=True)
app = FastAPI()


class Parcel(SQLModel, table=True):
    """One parcel."""

    id: int | None = Field(default=None, primary_key=True)
    label: str


def get_session() -> Iterator[Session]:
    """A session for one request."""
    with Session(engine) as session:
        yield session


@app.post("/parcels", status_code=201)
def take_in(parcel: Parcel, session: Annotated[Session, Depends(get_session)]) -> None:
    """Take a parcel in."""
    session.add(parcel)
    session.commit()


@app.get("/parcels")
def parcels(session: Annotated[Session, Depends(get_session)]) -> list[str]:
    """The labels of all parcels."""
    return [parcel.label for parcel in session.exec(select(Parcel).limit(settings.page_size))]
