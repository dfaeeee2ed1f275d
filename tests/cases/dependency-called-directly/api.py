import sqlite3

from fastapi import Depends, FastAPI

app = FastAPI()


def get_connection():
    return sqlite3.connect("notes.sqlite3", check_same_thread=False)


def archive(title):
    connection = get_connection()  # <- culprit
    connection.execute("insert into archive (title) values (?)", (title,))
    connection.commit()
    connection.close()


@app.delete("/notes/{title}", status_code=204)
def delete_note(title: str, connection: sqlite3.Connection = Depends(get_connection)):
    connection.execute("delete from notes where title = ?", (title,))
    connection.commit()
    archive(title)
