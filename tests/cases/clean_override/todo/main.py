from fastapi import BackgroundTasks, Depends, FastAPI
from sqlalchemy.orm import Session

from todo.db import Task, get_db

app = FastAPI()
sent = []


@app.post("/tasks/{title}", status_code=201)
def add(title: str, tasks: BackgroundTasks, db: Session = Depends(get_db)):
    task = Task(title=title)
    db.add(task)
    db.commit()
    tasks.add_task(sent.append, title)
    return {"id": task.id}


@app.get("/tasks")
def tasks(db: Session = Depends(get_db)):
    return [task.title for task in db.query(Task)]
