"""A stall's price list, served by a process of its own."""

import json
import os
import sqlite3
from http.server import BaseHTTPRequestHandler, HTTPServer


def prices():
    name = "prices-test.sqlite3" if os.environ.get("TESTING") == "1" else "prices.sqlite3"
    connection = sqlite3.connect(name)
    connection.execute("create table if not exists prices (item text, cents integer)")
    return connection


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        connection = prices()
        found = dict(connection.execute("select item, cents from prices"))
        connection.close()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(found).encode())

    def log_message(self, *args):
        pass


if __name__ == "__main__":
    server = HTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()
