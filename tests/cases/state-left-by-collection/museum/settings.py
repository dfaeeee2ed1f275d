class Settings:
    opens, closes = 10, 18


settings = Settings()
