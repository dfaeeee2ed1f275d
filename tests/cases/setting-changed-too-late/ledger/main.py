from fastapi import FastAPI

from ledger import entries

app = FastAPI()


@app.post("/entries/{text}", status_code=201)
def add(text: str) -> None:
    entries.add(text)


@app.get("/entries")
def all_entries() -> list[str]:
    return entries.texts()
