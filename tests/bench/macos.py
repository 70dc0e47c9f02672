"""macOS guests over the simulated Mac: what berthd adds to a start, how fast it decides, and what a clone costs."""
import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time

import process
from daemon import WAIT, Daemon, create_vm, import_image
from fleet import FLEET, fleet
from table import above_floor, at_most, not_run

GIB = 1 << 30


class Alone:
    """berth-machine as berthd runs it, without berthd: the same machine.json, the sockets bound beforehand."""

    def __init__(self, bench, state, vm):
        self.folder = os.path.join(bench.folder, "alone")
        os.makedirs(self.folder, exist_ok=True)
        self.program = os.path.join(bench.build, "berth-machine")
        self.lookalike = os.path.join(os.path.dirname(state), "locks", f"lookalike-{os.geteuid()}")
        shutil.copy(os.path.join(state, "run", vm, "machine.json"), self.folder)

    def _listen(self, name):
        path = os.path.join(self.folder, name)
        if os.path.exists(path):
            os.remove(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(path)
        listener.listen(1)
        return listener

    def start(self):
        """Milliseconds from the spawn to the answer that the guest runs; then it is stopped."""
        with self._listen("machine.sock") as control, self._listen("console.sock") as console, \
                socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer, open(os.path.join(self.folder, "log"), "ab") as log:
            peer.settimeout(30)
            peer.connect(os.path.join(self.folder, "machine.sock"))
            begin = time.perf_counter()
            child = subprocess.Popen([self.program, "run", self.folder, "--listener", str(control.fileno()), "--console-listener",
                                      str(console.fileno())], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                     pass_fds=(control.fileno(), console.fileno()), start_new_session=True,
                                     env={**os.environ, "BERTH_LOOKALIKE_DIR": self.lookalike})
            try:
                lines = peer.makefile("rwb")
                self._ask(lines, 1, "hello", {})
                self._ask(lines, 2, "start", {"recovery": False})
                elapsed = (time.perf_counter() - begin) * 1000
                self._ask(lines, 3, "stop", {})
                child.wait(30)
                return elapsed
            finally:
                process.end(child)

    def _ask(self, lines, number, method, params):
        lines.write(json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode() + b"\n")
        lines.flush()
        while True:  # notifications come in between
            message = json.loads(lines.readline())
            if "error" in message:
                raise RuntimeError(f"berth-machine refused {method}: {message['error']['message']}")
            if message.get("id") == number:
                return message["result"]


def _image(bench, connection):
    path = os.path.join(bench.folder, "sample.ipsw")
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    process.run([sys.executable, os.path.join(root, "scripts", "sample-ipsw"), "15.1", "24B83", path])
    return import_image(connection, path, "restore")


def _macos_vm(connection, name, image):
    return create_vm(connection, name, guest="macos", cpu_count=4, memory_bytes=4 * GIB, disk_bytes=64 * GIB, restore_image=image)


def _post(connection, path, body, status):
    begin = time.perf_counter()
    answer = connection.request("POST", path, body, WAIT).expect(status)
    return (time.perf_counter() - begin) * 1000, answer.json()


def _starts(bench):
    rounds = 5 if bench.quick else 20
    ours, floor = [], []
    with Daemon(bench, "macos") as daemon, daemon.connect() as connection:
        vm = _macos_vm(connection, "mac", _image(bench, connection))["id"]
        _post(connection, f"/v1/vms/{vm}/start", {}, 200)  # not counted: it writes machine.json
        _post(connection, f"/v1/vms/{vm}/stop", {"mode": "force"}, 200)
        alone = Alone(bench, daemon.state, vm)
        for _ in range(rounds):
            floor.append(alone.start())
            ours.append(_post(connection, f"/v1/vms/{vm}/start", {}, 200)[0])
            _post(connection, f"/v1/vms/{vm}/stop", {"mode": "force"}, 200)
    low = statistics.median(floor)
    yield above_floor("start of a macOS guest", statistics.median(ours), "ms", 15, low, "berth-machine",
                      f"+{statistics.median(ours) - low:.1f} ms; {min(ours):.0f} to {max(ours):.0f}, floor {min(floor):.0f} to "
                      f"{max(floor):.0f}; simulated")


@contextlib.contextmanager
def _shared_blocks(bench):
    """Mounts a file system that shares blocks where the daemon "clones" will have its state, for as long as it is needed."""
    folder, image = os.path.join(bench.folder, "clones"), os.path.join(bench.folder, "clones.xfs")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    with open(image, "wb") as file:
        file.truncate(4 * GIB)
    try:
        process.run(["mkfs.xfs", "-q", "-m", "reflink=1", image])
        process.run(["mount", "-o", "loop,nosuid,nodev", image, folder])
    except (OSError, RuntimeError) as error:
        yield None, str(error)
        return
    try:
        yield folder, ""
    finally:
        process.run(["umount", folder])


def _clones(bench):
    """A clone of an installed guest, from the request to the answer, both disks durable."""
    times = []
    with _shared_blocks(bench) as (folder, reason):
        if folder is None:
            yield not_run("clone of a 64 GiB sparse disk", f"no file system that shares blocks: {reason}")
            return
        with Daemon(bench, "clones") as daemon, daemon.connect() as connection:
            vm = _macos_vm(connection, "mac", _image(bench, connection))["id"]
            for number in range(5 if bench.quick else 20):
                times.append(_post(connection, f"/v1/vms/{vm}/clone", {"name": f"clone-{number}"}, 201)[0])
    yield at_most("clone of a 64 GiB sparse disk", statistics.median(times), "ms", 50,
                  note=f"an installed guest; xfs in a file, blocks shared; {min(times):.0f} to {max(times):.0f} ms")


def _decisions(bench):
    """1,000 VMs and 1,000 kept identifiers in the ledger, both berths of the host denied: a start that is judged and refused,
    from the request to the answer."""
    rounds = 50 if bench.quick else 400
    daemon = fleet(bench)
    with daemon, daemon.connect() as connection:
        for number in range(FLEET):
            connection.request("POST", "/v1/machine-ids", {"generate": "macos", "name": f"kept {number}", "kept": True}).expect(201)
        vm = _macos_vm(connection, "decided", _image(bench, connection))["id"]
    daemon.options = ["--quota", "0"]
    with daemon, daemon.connect() as connection:
        times = [_post(connection, f"/v1/vms/{vm}/start", {}, 409)[0] for _ in range(rounds)]
        connection.request("DELETE", f"/v1/vms/{vm}", None, WAIT).expect(204)
    daemon.options = []
    yield at_most(f"start decision, {FLEET:,} VMs and {FLEET:,} identifiers", statistics.median(times), "ms", 1,
                  note=f"with the look at its bundle and HTTP; p99 {sorted(times)[int(len(times) * 0.99)]:.2f} ms")


def measure(bench):
    if not os.access(os.path.join(bench.build, "berth-machine"), os.X_OK):
        yield not_run("macOS guests", "this build has no berth-machine: GNUstep is missing")
        return
    yield from _starts(bench)
    yield from _clones(bench)
    yield from _decisions(bench)
