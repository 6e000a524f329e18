"""Serves a folder as one repository of a Hugging Face hub, and misbehaves on request.

Weights are large files: they are answered with a redirection to another port, which refuses credentials. The first line of
standard output is the hub's port. GET /log answers with the requests so far, a line each.
"""
import argparse
import hashlib
import json
import os
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

parser = argparse.ArgumentParser()
parser.add_argument("folder")
parser.add_argument("--repository", default="org/tiny")
parser.add_argument("--token", help="refuse requests without it")
parser.add_argument("--busy", type=int, default=0, help="answer so many requests with 503 first")
parser.add_argument("--retry-after", default="0")
parser.add_argument("--cuts", type=int, default=0, help="cut so many answers with large files in the middle")
parser.add_argument("--corrupt", help="change a byte of this file in every answer")
parser.add_argument("--bare-list", action="store_true", help="list names alone")
parser.add_argument("--grow", help="send more bytes of this file than announced")
options = parser.parse_args()

COMMIT = "0123456789abcdef0123456789abcdef01234567"
lock = threading.Lock()
log = []


def is_large(name):
    return name.endswith(".safetensors")


def read(name):
    with open(os.path.join(options.folder, name), "rb") as file:
        return file.read()


def git_object(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def sibling(name):
    if options.bare_list:
        return {"rfilename": name}
    data = read(name)
    entry = {"rfilename": name, "size": len(data), "blobId": git_object(data)}
    if is_large(name):
        entry["blobId"] = git_object(b"pointer")
        entry["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
    return entry


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, status, body=b"", headers={}):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def take(self, name):
        with lock:
            left = getattr(options, name)
            setattr(options, name, max(0, left - 1))
            return left > 0

    def content(self, name, headers):
        data, status = read(name), 200
        total = len(data)
        if options.corrupt == name:
            data = data[:-1] + bytes([data[-1] ^ 1])
        if options.grow == name:
            data += b"more"
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if wanted and options.grow != name:
            start, end = int(wanted[1]), min(int(wanted[2]), total - 1)
            data, status = data[start:end + 1], 206
            headers = headers | {"Content-Range": f"bytes {start}-{end}/{total}"}
        if self.command == "GET" and is_large(name) and len(data) > 1000 and self.take("cuts"):
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[:len(data) // 2])
            self.wfile.flush()
            self.close_connection = True
            return self.connection.close()
        self.answer(status, data, headers)

    def handle_any(self):
        with lock:
            log.append(f"{self.command} {self.path} {self.headers.get('Range', '-')}")
        if self.path == "/log":
            return self.answer(200, "\n".join(log).encode())
        if self.server is cdn:
            if self.headers.get("Authorization"):
                return self.answer(400, b"credentials of another host")
            return self.content(self.path.removeprefix("/large/"), {"ETag": '"of-the-store"'})
        if self.take("busy"):
            return self.answer(503, b"busy", {"Retry-After": options.retry_after})
        if options.token and self.headers.get("Authorization") != f"Bearer {options.token}":
            return self.answer(401, b"Access to this repository is restricted.")
        listing = re.fullmatch(r"/api/models/(.+)/revision/([^?]+)\?blobs=true", self.path)
        if listing and listing[1] == options.repository and listing[2] in ("main", "v1", COMMIT):
            names = sorted(os.listdir(options.folder))
            return self.answer(200, json.dumps({"id": options.repository, "sha": COMMIT,
                                                "siblings": [sibling(n) for n in names]}).encode())
        prefix = f"/{options.repository}/resolve/{COMMIT}/"
        name = self.path.removeprefix(prefix)
        if self.path.startswith(prefix) and os.path.exists(os.path.join(options.folder, name)):
            if is_large(name):
                data = read(name)
                return self.answer(302, b"", {
                    "Location": f"http://127.0.0.1:{cdn.server_address[1]}/large/{name}", "X-Repo-Commit": COMMIT,
                    "X-Linked-Size": str(len(data)), "X-Linked-Etag": f'"{hashlib.sha256(data).hexdigest()}"'})
            return self.content(name, {"ETag": f'"{git_object(read(name))}"', "X-Repo-Commit": COMMIT})
        self.answer(404, b"Repository Not Found")

    do_GET = do_HEAD = handle_any


cdn = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
cdn.daemon_threads = True
threading.Thread(target=cdn.serve_forever, daemon=True).start()
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print(server.server_address[1], flush=True)
server.serve_forever()
