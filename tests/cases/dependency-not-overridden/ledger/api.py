from fastapi import Depends, FastAPI
from sqlalchemy.orm import Session

from ledger.db import Entry, get_session

app = FastAPI()


@app.post("/entries")
def add_entry(text: str, session: Session = Depends(get_session)):
    session.add(Entry(text=text))
    session.commit()
    return {"text": text}
