"""A registry in memory that speaks the OCI distribution specification and misbehaves on request.

The first line of standard output is its port. GET /log answers with the requests so far, a line each.
"""
import argparse
import base64
import hashlib
import json
import re
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

parser = argparse.ArgumentParser()
parser.add_argument("--auth", choices=["none", "basic", "bearer"], default="none")
parser.add_argument("--token-uses", type=int, default=10**9, help="requests that a token is good for")
parser.add_argument("--busy", type=int, default=0, help="answer so many requests with 429 first")
parser.add_argument("--cuts", type=int, default=0, help="cut so many blob answers in the middle")
parser.add_argument("--upload-cuts", type=int, default=0, help="cut so many PATCH requests in the middle")
parser.add_argument("--forgetful", action="store_true", help="forget an upload that was cut")
parser.add_argument("--corrupt", type=int, default=0, help="change a byte in so many blob answers")
parser.add_argument("--no-range", action="store_true")
parser.add_argument("--lie-about-digest", action="store_true", help="store wrong bytes and report the right digest")
options = parser.parse_args()

USER, PASSWORD = "ann", "secret"
lock = threading.Lock()
blobs, manifests, uploads, tokens, log = {}, {}, {}, {}, []


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


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
        """Uses up one of a fault's occasions."""
        with lock:
            left = getattr(options, name)
            setattr(options, name, max(0, left - 1))
            return left > 0

    def admitted(self):
        given = self.headers.get("Authorization", "")
        if options.auth == "none":
            return True
        if options.auth == "basic":
            if given == "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode():
                return True
            self.answer(401, b"{}", {"WWW-Authenticate": 'Basic realm="test"'})
            return False
        with lock:
            uses = tokens.get(given.removeprefix("Bearer "), 0)
            if uses > 0:
                tokens[given.removeprefix("Bearer ")] = uses - 1
                return True
        port = self.server.server_address[1]
        scope = "repository:test:pull,push"
        self.answer(401, b"{}", {"WWW-Authenticate":
                                 f'Bearer realm="http://127.0.0.1:{port}/token",service="test",scope="{scope}"'})
        return False

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def handle_any(self):
        with lock:
            log.append(f"{self.command} {self.path} {self.headers.get('Range', '-')}")
        if self.path == "/log":
            return self.answer(200, "\n".join(log).encode())
        if self.path.startswith("/token"):
            if self.headers.get("Authorization") != "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode():
                return self.answer(401, b"no")
            if "service=test" not in self.path or "scope=" not in self.path:
                return self.answer(400, b"no service or scope")
            token = uuid.uuid4().hex
            with lock:
                tokens[token] = options.token_uses
            return self.answer(200, json.dumps({"token": token}).encode())
        if self.take("busy"):
            self.body()
            return self.answer(429, b"slow down", {"Retry-After": "0"})
        if self.command in ("PATCH", "PUT", "POST") and not self.path.startswith("/v2/"):
            return self.answer(404)
        if self.command == "PATCH" and self.take("upload_cuts"):
            half = self.rfile.read(int(self.headers["Content-Length"]) // 2)
            identifier = re.search(r"uploads/([0-9a-f]+)", self.path)[1]
            with lock:
                if options.forgetful:
                    uploads.pop(identifier, None)
                elif identifier in uploads:
                    uploads[identifier] += half
            self.close_connection = True
            return self.connection.close()
        if not self.admitted():
            self.body()
            return
        if match := re.fullmatch(r"/v2/([a-z/]+)/blobs/uploads/", self.path):
            self.body()
            identifier = uuid.uuid4().hex
            with lock:
                uploads[identifier] = b""
            return self.answer(202, b"", {"Location": f"/v2/{match[1]}/blobs/uploads/{identifier}?state=a%2Bb"})
        if match := re.fullmatch(r"/v2/([a-z/]+)/blobs/uploads/([0-9a-f]+)\?state=a%2Bb(&digest=(.*))?", self.path):
            return self.upload(match[1], match[2], match[4])
        if match := re.fullmatch(r"/v2/[a-z/]+/blobs/(sha256:[0-9a-f]{64})", self.path):
            return self.blob(blobs.get(match[1]))
        if match := re.fullmatch(r"/v2/[a-z/]+/manifests/(.*)", self.path):
            if self.command == "PUT":
                data = self.body()
                with lock:
                    manifests[match[1]] = manifests[digest(data)] = data
                return self.answer(201, b"", {"Docker-Content-Digest": digest(data)})
            data = manifests.get(match[1])
            if data is None:
                return self.answer(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}')
            return self.answer(200, data, {"Content-Type": "application/vnd.oci.image.manifest.v1+json",
                                           "Docker-Content-Digest": digest(data)})
        if re.fullmatch(r"/v2/[a-z/]+/tags/list", self.path):
            return self.answer(200, json.dumps({"tags": [t for t in manifests if ":" not in t]}).encode())
        self.answer(404)

    def upload(self, repository, identifier, final):
        data = self.body()
        location = f"/v2/{repository}/blobs/uploads/{identifier}?state=a%2Bb"
        with lock:
            if identifier not in uploads:
                return self.answer(404, b'{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}')
            if self.command == "PATCH":
                start = int(self.headers["Content-Range"].split("-")[0])
                if start != len(uploads[identifier]):
                    return self.answer(416)
                uploads[identifier] += data
            size = len(uploads[identifier])
            if self.command == "PUT":
                content = uploads.pop(identifier)
                wanted = final.replace("%3A", ":")
                if options.lie_about_digest:
                    blobs[wanted] = bytes(len(content))
                    return self.answer(201, b"", {"Docker-Content-Digest": wanted})
                if digest(content) != wanted:
                    return self.answer(400, b'{"errors":[{"code":"DIGEST_INVALID"}]}')
                blobs[wanted] = content
                return self.answer(201, b"", {"Docker-Content-Digest": wanted})
        self.answer(202 if self.command == "PATCH" else 204, b"",
                    {"Location": location, "Range": f"0-{max(0, size - 1)}"})

    def blob(self, data):
        if data is None:
            return self.answer(404, b'{"errors":[{"code":"BLOB_UNKNOWN"}]}')
        status, headers, total = 200, {}, len(data)
        if self.command == "GET" and len(data) > 100 and self.take("corrupt"):
            data = data[:90] + bytes([data[90] ^ 1]) + data[91:]
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if wanted and not options.no_range:
            start, end = int(wanted[1]), min(int(wanted[2]), total - 1)
            status, headers = 206, {"Content-Range": f"bytes {start}-{end}/{total}"}
            data = data[start:end + 1]
        if self.command == "GET" and len(data) > 1000 and self.take("cuts"):
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[:len(data) // 2])
            self.wfile.flush()
            self.close_connection = True
            return self.connection.close()
        self.answer(status, data, headers)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = handle_any


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print(server.server_address[1], flush=True)
server.serve_forever()
