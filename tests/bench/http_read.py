"""Reads against the ceiling: nginx with one worker and its cache of open files, the same bytes, a Unix socket each."""
import os
import statistics

import load
import process
from fleet import fleet
from http_client import Connection
from table import at_most, share_of

# A server that serves files and nothing else: no master, no log. `sendfile` is set for each location by what measured
# faster there: off for small bodies, which then leave with their head in one call, on for large ones.
NGINX = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/errors warn;
events {{ worker_connections 512; }}
http {{
  access_log off; types {{}} default_type application/json; keepalive_requests 1000000000; keepalive_timeout 1h;
  open_file_cache max=100 inactive=1h; open_file_cache_valid 1h;
  client_body_temp_path {folder}/t; proxy_temp_path {folder}/t; fastcgi_temp_path {folder}/t; uwsgi_temp_path {folder}/t;
  scgi_temp_path {folder}/t;
  server {{
    listen unix:{folder}/s sndbuf=2m; root {folder}/files;
    location / {{ sendfile off; }}
    location /large/ {{ sendfile on; }}
  }}
}}
"""


class Nginx:
    def __init__(self, bench, bodies):
        self.folder = os.path.join(bench.folder, "nginx")
        self.socket = os.path.join(self.folder, "s")
        self.child = None
        for target, body in bodies.items():
            path = os.path.join(self.folder, "files", target.lstrip("/"))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(body)
        with open(os.path.join(self.folder, "conf"), "w") as file:
            file.write(NGINX.format(folder=self.folder))

    def is_ready(self):
        if self.child.poll() is not None:
            with open(os.path.join(self.folder, "log"), errors="replace") as log:
                raise RuntimeError(f"nginx ended: {log.read()}")
        try:
            Connection(self.socket, 5).close()
            return True
        except (FileNotFoundError, ConnectionError):
            return False

    def __enter__(self):
        binary = "/usr/sbin/nginx" if os.path.exists("/usr/sbin/nginx") else "nginx"
        command = [binary, "-p", self.folder, "-e", os.path.join(self.folder, "errors"), "-c", os.path.join(self.folder, "conf")]
        self.child = process.start(process.pinned(load.SERVER_CORE, command), os.path.join(self.folder, "log"))
        try:
            process.wait_until(self.is_ready, 10, "nginx's first answer")
        except BaseException:
            process.end(self.child)
            raise
        return self

    def __exit__(self, *_):
        process.end(self.child)


def _alternating(bench, ours, theirs):
    """Medians of rounds in turn, so that what else the machine does falls on both. Each side has a short warm-up."""
    seconds, rounds = (1, 3) if bench.quick else (3, 5)
    for socket, target in (ours, theirs):
        load.rate(socket, target, 1)
    pairs = [(load.rate(*ours, seconds), load.rate(*theirs, seconds)) for _ in range(rounds)]
    return [statistics.median(side) for side in zip(*pairs)], [round(our / their, 2) for our, their in pairs]


def _latency(bench, socket, target):
    log = os.path.join(bench.folder, "latency")
    if os.path.exists(log):
        os.remove(log)
    load.rate(socket, target, 1 if bench.quick else 3, log)
    return load.percentile_ms(log, 99)


def measure(bench):
    with fleet(bench, load.SERVER_CORE) as daemon:
        with daemon.connect() as connection:
            vm = connection.get("/v1/vms?limit=1").json()["items"][0]["id"]
            figures = [("GET one VM", f"/v1/vms/{vm}", "/one", 0.8),
                       ("list of 100", "/v1/vms?limit=100", "/large/100", 0.8),
                       ("list of 1,000", "/v1/vms?limit=1000", "/large/1000", 0.6)]
            bodies = {theirs: connection.get(ours).body for _, ours, theirs, _ in figures}
        with Nginx(bench, bodies) as nginx:
            for figure, ours, theirs, share in figures:
                (our, their), ratios = _alternating(bench, (daemon.socket, ours), (nginx.socket, theirs))
                yield share_of(figure, our, "req/s", share, their, "nginx",
                               f"{len(bodies[theirs]):,} bytes; rounds {min(ratios)} to {max(ratios)} ×")
            for figure, ours, theirs, _ in figures[:2]:
                yield at_most(f"p99 of {figure}, 16 connections", _latency(bench, daemon.socket, ours), "ms", 2,
                              _latency(bench, nginx.socket, theirs), "nginx")
