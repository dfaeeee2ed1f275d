from fastapi import APIRouter, BackgroundTasks, Depends
from sqlalchemy.orm import Session

from newsletter.db import Delivery, SessionLocal, Subscriber, get_session

router = APIRouter(tags=["subscribers"])


def send_welcome(email: str):
    with SessionLocal.begin() as session:  # <- culprit
        session.add(Delivery(email=email))


@router.put("/subscribers/{email}", status_code=202)
def subscribe(email: str, tasks: BackgroundTasks, session: Session = Depends(get_session)):
    session.merge(Subscriber(email=email))
    session.commit()
    tasks.add_task(send_welcome, email)
    return {"email": email}
