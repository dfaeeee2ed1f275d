from fastapi import APIRouter, Depends, FastAPI
from sqlalchemy import text
from sqlalchemy.orm import Session

from warehouse.database import warehouse_session

router = APIRouter(prefix="/parts")


@router.post("/{name}", status_code=201)
def add_part(name: str, session: Session = Depends(warehouse_session)):
    session.execute(text("insert into parts (name) values (:name)"), {"name": name})
    session.commit()


@router.get("")
def parts(session: Session = Depends(warehouse_session)):
    return session.scalars(text("select name from parts order by name")).all()


app = FastAPI()
app.include_router(router)
