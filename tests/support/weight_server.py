"""A server of weights on this machine that speaks as the hub and as a host of releases does, and fails on demand."""

import hashlib
import threading
from collections import Counter, deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class WeightServer:
    """Files by path. ``faults`` are used up, one a GET: a status code, "cut", "wrong", "stall" or "hold"; or a function
    of the handler and the content, which answers in its own way."""

    def __init__(self):
        self.files, self.repositories, self.moved = {}, {}, {}
        self.faults = deque()
        self.asked = []
        self.resumes = True
        self.release = threading.Event()
        self.held = threading.Event()
        weight_server = self

        class Handler(_Handler):
            pass

        Handler.weight_server = weight_server
        self.server = _Server(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    @property
    def elsewhere(self):
        """The same server under another name, as far as clients can see another host."""
        return f"http://localhost:{self.server.server_port}"

    def release_file(self, stem, content, suffix=".pth"):
        """Put a file where releases lie, with the start of its hash in its name; its address."""
        path = f"/owner/project/releases/download/v1/{stem}-{hashlib.sha256(content).hexdigest()[:8]}{suffix}"
        self.files[path] = content
        return self.url + path

    def hub_file(self, repo, content, name="model.safetensors"):
        """Put a file into a repository of the hub."""
        self.repositories[f"/{repo}/resolve/main/{name}"] = content

    def count(self, method):
        return Counter(asked[0] for asked in self.asked)[method]

    def close(self):
        self.release.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *args):
        """Nothing: clients that hang up are what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    weight_server: WeightServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self._note()
        if self.path in self.weight_server.repositories:
            return self._to_the_files()
        if self.path in self.weight_server.moved:
            return self._say(307, {"Location": self.weight_server.moved[self.path]})
        if self.path in self.weight_server.files:
            return self._say(200, {"Content-Length": str(len(self.weight_server.files[self.path]))})
        return self._say(404)

    def do_GET(self):
        self._note()
        if self.path in self.weight_server.repositories:
            return self._to_the_files()
        fault = self.weight_server.faults.popleft() if self.weight_server.faults else None
        if isinstance(fault, int):
            return self._say(fault, {"Retry-After": "7"})
        if self.path in self.weight_server.moved:
            return self._say(302, {"Location": self.weight_server.moved[self.path]})
        content = self.weight_server.files.get(self.path)
        if content is None:
            return self._say(404)
        if callable(fault):
            self.close_connection = True
            return fault(self, content)
        return self._send(content, fault)

    def _send(self, content, fault):
        if fault == "wrong":
            content = bytes(len(content))
        start = 0
        if self.weight_server.resumes and "Range" in self.headers:
            start = int(self.headers["Range"].removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                return self._say(416)
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        half = start + (len(content) - start) // 2
        self.wfile.write(content[start:half])
        self.wfile.flush()
        if fault in ("stall", "hold"):
            self.weight_server.held.set()
            self.weight_server.release.wait()
        if fault in ("cut", "stall"):
            self.close_connection = True
            return None
        return self.wfile.write(content[half:])

    def _to_the_files(self):
        """A large file of the hub lies elsewhere; the answer that says where also says what it is."""
        content = self.weight_server.repositories[self.path]
        sha256 = hashlib.sha256(content).hexdigest()
        self.weight_server.files[f"/cdn/{sha256}"] = content
        self._say(
            302,
            {
                "Location": f"{self.weight_server.elsewhere}/cdn/{sha256}",
                "X-Linked-Etag": f'"{sha256}"',
                "X-Linked-Size": str(len(content)),
                "X-Repo-Commit": sha256[:40],
            },
        )

    def _say(self, code, headers=None):
        self.send_response(code)
        for key, value in ({"Content-Length": "0"} | (headers or {})).items():
            self.send_header(key, value)
        self.end_headers()

    def _note(self):
        self.weight_server.asked.append(
            (self.command, self.path, {key.title(): value for key, value in self.headers.items()})
        )
