from fastapi import FastAPI

from .v1 import api

app = FastAPI(title="Catalogue")
app.mount("/v1", api)


@app.get("/health")
async def health():
    return {"status": "ok"}
