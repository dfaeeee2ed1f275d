from fastapi import FastAPI

from bikes import stations

app = FastAPI(routes=stations.routes)
