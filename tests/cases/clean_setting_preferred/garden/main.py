from fastapi import FastAPI

from garden import plants

app = FastAPI()


@app.get("/plants")
async def names() -> list[str]:
    return plants.names()
