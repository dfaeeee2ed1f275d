from fastapi import Depends, FastAPI
from sqlalchemy import text
from sqlalchemy.orm import Session

from bookings.db import get_db

app = FastAPI()


@app.get("/rooms")
def rooms(db: Session = Depends(get_db)):
    return [name for (name,) in db.execute(text("select name from rooms order by name"))]
