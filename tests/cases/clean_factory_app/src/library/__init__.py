from library.factory import create_app

__all__ = ["create_app"]
