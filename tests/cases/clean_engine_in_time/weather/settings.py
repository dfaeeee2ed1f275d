DATABASE_URL = "sqlite:///weather.db"
