from fastapi import FastAPI

from bikes import stations

app = FastAPI()
app.include_router(stations.router)
