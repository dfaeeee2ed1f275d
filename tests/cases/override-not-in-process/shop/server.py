"""Serves the shop on a free port of this machine, as a server of a real project does."""

from http.server import BaseHTTPRequestHandler, HTTPServer

from fastapi.testclient import TestClient


def serve(listening):
    from shop.main import app

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            answer = TestClient(app).get(self.path)
            self.send_response(answer.status_code)
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    listening.send(server.server_port)
    server.serve_forever()
