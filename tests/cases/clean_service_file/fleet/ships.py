import psycopg


def ships():
    with psycopg.connect("service=fleet") as connection:
        return [name for (name,) in connection.execute("select name from ships")]
