"""A berthd of the bench: a private state directory, a socket beside it, and an end that leaves nothing running."""
import os
import subprocess

import process
from http_client import Connection, request_bytes

WAIT = ["Prefer: wait=10"]


class Daemon:
    """`with Daemon(bench, "name") as daemon:`; the same name again finds the same state. options: more of berthd's own."""

    def __init__(self, bench, name, core=None, options=()):
        self.bench = bench
        self.folder = os.path.join(bench.folder, name)
        self.state = os.path.join(self.folder, "state")
        self.socket = os.path.join(self.folder, "s")
        self.core = core
        self.options = list(options)
        self.child = None
        os.makedirs(self.folder, mode=0o700, exist_ok=True)

    @property
    def pid(self):
        return self.child.pid

    @property
    def log(self):
        return os.path.join(self.folder, "log")

    def command(self):
        # The bounds per user are the daemon's own options: 64 clients of one user are what is measured here.
        return [self.bench.berthd, "--state-dir", self.state, "--socket", self.socket,
                "--lock-dir", os.path.join(self.folder, "locks"), "--network", "nat" if self.bench.has_network else "user",
                "--max-connections", "512", "--max-connections-per-user", "256", "--max-streams-per-user", "128",
                "--log-level", "warning", *self.options]

    def is_ready(self):
        if self.child.poll() is not None:
            with open(self.log, errors="replace") as log:
                raise RuntimeError(f"berthd ended with {self.child.returncode}: {log.read()[-2000:]}")
        try:
            with Connection(self.socket, 5) as connection:
                return connection.request("GET", "/healthz").status == 200
        except (FileNotFoundError, ConnectionError):
            return False

    def start(self):
        self.child = process.start(process.pinned(self.core, self.command()), self.log)
        process.wait_until(self.is_ready, 20, "the daemon's first answer")

    def connect(self, timeout=60):
        return Connection(self.socket, timeout)

    def force_guests_off(self):
        with self.connect(15) as connection:
            for vm in connection.get("/v1/vms?state=running&limit=100").json()["items"]:
                connection.send(request_bytes("POST", f"/v1/vms/{vm['id']}/stop", {"mode": "force"}, WAIT))
                connection.receive()

    def stop(self):
        if self.child is None:
            return
        if self.child.poll() is None:
            try:
                self.force_guests_off()
            except (OSError, RuntimeError, ValueError):
                pass  # the sweep at the end of the bench ends what this could not
            process.end(self.child, 10)
        self.child = None

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            if self.child is not None:
                process.end(self.child)
            raise
        return self

    def __exit__(self, *_):
        self.stop()


def vm_body(name, **more):
    return {"name": name, "guest": "linux", "cpu_count": 1, "memory_bytes": 128 << 20, "disk_bytes": 1 << 20, **more}


def create_vm(connection, name, **more):
    return connection.request("POST", "/v1/vms", vm_body(name, **more), WAIT).expect(201).json()


def import_image(connection, path, kind):
    """Of a file below the bench's own folder or the build's: root may name any."""
    body = {"path": path, "kind": kind, "name": os.path.basename(path)}
    return connection.request("POST", "/v1/images", body, WAIT).expect(201).json()["id"]


def version(binary):
    return subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10).stdout.strip()
