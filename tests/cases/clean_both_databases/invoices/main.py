from fastapi import Depends, FastAPI

from invoices.archive import remember
from invoices.store import get_db

app = FastAPI()


@app.post("/invoices/{number}", status_code=201)
def write(number: int, db=Depends(get_db)) -> None:
    with db:
        db.execute("insert into invoices values (?)", (number,))
    remember(number)
