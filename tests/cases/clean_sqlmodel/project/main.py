from typing import Optional

from fastapi import Depends, FastAPI, HTTPException
from sqlmodel import Field, Session, SQLModel, create_engine, select


class Team(SQLModel, table=True):
    id: Optional[int] = Field(default=None, primary_key=True)
    name: str = Field(index=True)


engine = create_engine("sqlite:///database.db", connect_args={"check_same_thread": False})


def create_db_and_tables():
    SQLModel.metadata.create_all(engine)


def get_session():
    with Session(engine) as session:
        yield session


app = FastAPI()


@app.post("/teams/", response_model=Team)
def create_team(*, session: Session = Depends(get_session), team: Team):
    session.add(team)
    session.commit()
    session.refresh(team)
    return team


@app.get("/teams/{team_id}", response_model=Team)
def read_team(*, session: Session = Depends(get_session), team_id: int):
    team = session.get(Team, team_id)
    if team is None:
        raise HTTPException(status_code=404)
    return team


@app.get("/teams/")
def read_teams(*, session: Session = Depends(get_session)):
    return session.exec(select(Team)).all()


if __name__ == "__main__":
    create_db_and_tables()
