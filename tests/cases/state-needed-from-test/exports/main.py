import csv
import io
from collections.abc import Callable

from fastapi import FastAPI, HTTPException

FORMATS: dict[str, Callable[[list[str]], str]] = {}
app = FastAPI()


def as_csv(row: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(row)
    return text.getvalue()


@app.get("/members.{name}")
def members(name: str) -> str:
    if name not in FORMATS:
        raise HTTPException(404)
    return FORMATS[name](["Ada", "Grace"])
