from fastapi import Depends, FastAPI
from sqlalchemy import text

from shop import deps

app = FastAPI()


@app.get("/me")
def me(user: str = Depends(deps.current_user)):
    return {"user": user}


@app.post("/orders", status_code=201)
def order(db=Depends(deps.get_db)):
    db.execute(text("insert into orders default values"))
    db.commit()
    return {"orders": db.scalar(text("select count(*) from orders"))}
