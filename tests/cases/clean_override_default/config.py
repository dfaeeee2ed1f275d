class Settings:
    def __init__(self):
        self.url = "sqlite:///prod.db"


settings = Settings()
