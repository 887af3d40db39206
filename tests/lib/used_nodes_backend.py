# SPDX-License-Identifier: MIT
"""Stands in for cc-backend: names the hosts of running jobs to whoever has the token."""
import http.server
import json
import threading

TOKEN = "tok"


class Backend:
    """GET /api/jobs/used_nodes?ts=N. 'status' and 'hosts' (of cluster c) can be changed at any time; 'asked' has path and
    Authorization of each request."""

    def __init__(self, *hosts, status=200):
        self.hosts, self.status, self.asked = list(hosts), status, []
        backend = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                authorization = self.headers["Authorization"]
                backend.asked.append((self.path, authorization))
                good = self.path.startswith("/api/jobs/used_nodes?ts=") and authorization == f"Bearer {TOKEN}"
                body = json.dumps({"usedNodes": {"c": backend.hosts}}).encode()
                self.send_response(backend.status if good else 401)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.server.shutdown()
        self.server.server_close()
