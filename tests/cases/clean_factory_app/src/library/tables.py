from sqlalchemy import Column, MetaData, String, Table

metadata = MetaData()
books = Table("books", metadata, Column("title", String, primary_key=True))
