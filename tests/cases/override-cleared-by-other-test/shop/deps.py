from fastapi import Header, HTTPException
from sqlalchemy import create_engine
from sqlalchemy.orm import sessionmaker

engine = create_engine("sqlite:///shop.db")
SessionLocal = sessionmaker(engine)


def get_db():
    with SessionLocal() as db:
        yield db


def current_user(authorization: str = Header("")):
    if authorization != "Bearer admin":
        raise HTTPException(401)
    return "admin"
