"""HTTP/1.1 by hand over a Unix socket, as little of it as a measurement needs: one kept connection, known lengths."""
import json
import socket


class Answer:
    def __init__(self, status, body):
        self.status = status
        self.body = body

    def json(self):
        return json.loads(self.body)

    def expect(self, status):
        if self.status != status:
            raise RuntimeError(f"expected {status}, got {self.status}: {self.body[:300].decode(errors='replace')}")
        return self


def request_bytes(method, target, body=None, headers=()):
    lines = [f"{method} {target} HTTP/1.1", "Host: berth", *headers]
    text = b""
    if body is not None:
        text = json.dumps(body).encode()
        lines += ["Content-Type: application/json", f"Content-Length: {len(text)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + text


def take_answer(buffer):
    """Takes one whole answer off the front of a bytearray; None while a part of it is missing."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = bytes(buffer[:end]).lower()
    status = int(head[9:12])
    if b"\r\ntransfer-encoding: chunked" in head:
        return _take_chunked(buffer, end + 4, status)
    length = 0
    at = head.find(b"\r\ncontent-length:")
    if at >= 0:
        length = int(head[at + 17:].split(b"\r\n", 1)[0])
    elif status not in (204, 304):
        raise RuntimeError(f"an answer {status} without a length")
    if len(buffer) < end + 4 + length:
        return None
    body = bytes(buffer[end + 4:end + 4 + length])
    del buffer[:end + 4 + length]
    return Answer(status, body)


def _take_chunked(buffer, at, status):
    """The peers answer so; trailers are none that they send."""
    body = bytearray()
    while (line := buffer.find(b"\r\n", at)) >= 0:
        size = int(buffer[at:line], 16)
        if len(buffer) < line + 2 + size + 2:
            return None
        body += buffer[line + 2:line + 2 + size]
        at = line + 2 + size + 2
        if size == 0:
            del buffer[:at]
            return Answer(status, bytes(body))
    return None


class Connection:
    """One request at a time. Every wait is bounded by the socket's timeout."""

    def __init__(self, path, timeout=60):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        self.buffer = bytearray()

    def send(self, data):
        self.socket.sendall(data)

    def receive(self):
        while True:
            answer = take_answer(self.buffer)
            if answer is not None:
                return answer
            part = self.socket.recv(1 << 20)
            if not part:
                raise ConnectionError("the server closed the connection")
            self.buffer += part

    def request(self, method, target, body=None, headers=()):
        self.send(request_bytes(method, target, body, headers))
        return self.receive()

    def get(self, target):
        return self.request("GET", target).expect(200)

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
