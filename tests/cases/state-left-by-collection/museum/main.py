from fastapi import FastAPI

from museum.settings import settings

app = FastAPI()


@app.get("/open/{hour}")
def is_open(hour: int) -> bool:
    return settings.opens <= hour < settings.closes
