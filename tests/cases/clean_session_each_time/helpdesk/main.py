from fastapi import FastAPI

from helpdesk.tickets import tickets

app = FastAPI()


@app.post("/tickets/{subject}", status_code=201)
def add(subject: str) -> None:
    tickets.open(subject)


@app.get("/tickets")
def subjects() -> list[str]:
    return tickets.subjects()
