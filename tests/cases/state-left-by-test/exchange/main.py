from fastapi import FastAPI

RATES = {"EUR": 1.0, "USD": 1.25}
app = FastAPI()


@app.get("/convert/{euros}/{currency}")
def convert(euros: float, currency: str) -> float:
    return euros * RATES[currency]
