from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from sqlalchemy import create_engine, text
from sqlalchemy.orm import sessionmaker


@asynccontextmanager
async def lifespan(app: FastAPI):
    engine = create_engine("sqlite:///polls.db")  # <- culprit
    app.state.Session = sessionmaker(engine)  # <- culprit
    yield
    engine.dispose()


app = FastAPI(lifespan=lifespan)


@app.post("/votes/{choice}")
def vote(choice: str, request: Request):
    with request.app.state.Session.begin() as session:
        session.execute(text("insert into votes (choice) values (:choice)"), {"choice": choice})
        return {"votes": session.scalar(text("select count(*) from votes"))}
