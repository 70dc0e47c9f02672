"""Start and forced stop against the floor: the same QEMU command line without a daemon, in turn with it."""
import json
import os
import re
import signal
import socket
import statistics
import time

import process
from daemon import WAIT, Daemon, create_vm, import_image
from table import above_floor, not_run

FLOOR_TAP = "btfloor"


def _listen(path):
    if os.path.exists(path):
        os.remove(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(1)
    return listener


class Bare:
    """QEMU as berthd runs it: the command line of a running guest, with sockets, a console log and a tap of its own."""

    def __init__(self, bench, pid):
        self.folder = os.path.join(bench.folder, "bare")
        os.makedirs(self.folder, exist_ok=True)
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            self.arguments = [os.fsdecode(each) for each in file.read().split(b"\0")[:-1]]
        if sum("fd=" in each for each in self.arguments) != 2:
            raise RuntimeError("the guest's command line has not the two sockets that the floor replaces")
        self.qemu = None

    def _command(self, qmp, console):
        fds = iter((qmp.fileno(), console.fileno()))
        command = []
        for each in self.arguments:
            each = re.sub(r"(?<=[,=])ifname=[^,]+", f"ifname={FLOOR_TAP}", each)
            each = re.sub(r"logfile=[^,]+", f"logfile={self.folder}/console.log", each)
            if each.startswith("socket,") and "fd=" in each:
                each = re.sub(r"\bfd=\d+", f"fd={next(fds)}", each)
            command.append(each)
        return command

    def start(self):
        """Milliseconds from the spawn to a QMP that says running."""
        path = os.path.join(self.folder, "qmp")
        with _listen(path) as qmp, _listen(os.path.join(self.folder, "console")) as console, \
                socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.settimeout(30)
            peer.connect(path)  # waits in the backlog of the socket that QEMU inherits, as berthd does it
            command = self._command(qmp, console)
            for each in (qmp, console):
                os.set_inheritable(each.fileno(), True)
            output = [(os.POSIX_SPAWN_OPEN, number, os.path.join(self.folder, "log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                      for number in (1, 2)]
            begin = time.perf_counter()
            self.qemu = os.posix_spawn(command[0], command, os.environ, setsid=True, file_actions=output)
            lines = peer.makefile("rwb")
            self._ask(lines, None, "QMP")
            self._ask(lines, "qmp_capabilities", "return")
            while self._ask(lines, "query-status", "return")["return"]["status"] != "running":
                pass
            return (time.perf_counter() - begin) * 1000

    def _ask(self, lines, command, wanted):
        if command:
            lines.write(json.dumps({"execute": command}).encode() + b"\n")
            lines.flush()
        while True:  # events come in between
            line = lines.readline()
            if not line:
                raise RuntimeError(f"the bare QEMU ended: see {self.folder}/log")
            message = json.loads(line)
            if "error" in message:
                raise RuntimeError(f"the bare QEMU refused {command}: {message['error']['desc']}")
            if wanted in message:
                return message

    def kill(self):
        """Milliseconds from SIGKILL to the end of the process."""
        begin = time.perf_counter()
        os.kill(self.qemu, signal.SIGKILL)
        os.waitpid(self.qemu, 0)
        self.qemu = None
        return (time.perf_counter() - begin) * 1000

    def close(self):
        if self.qemu is not None:
            self.kill()


def _timed(connection, vm, action, body):
    begin = time.perf_counter()
    answer = connection.request("POST", f"/v1/vms/{vm}/{action}", body, WAIT).expect(200).json()
    elapsed = (time.perf_counter() - begin) * 1000
    if not answer["changed"]:
        raise RuntimeError(f"{action} changed nothing")
    return elapsed, answer["vm"]


def _start(connection, vm):
    return _timed(connection, vm, "start", {})


def _stop(connection, vm):
    return _timed(connection, vm, "stop", {"mode": "force"})


def _make_tap(bench):
    """The floor's tap is ready before its clock runs, and in the same bridge as the daemon's."""
    if bench.has_network:
        process.run(["ip", "tuntap", "add", "dev", FLOOR_TAP, "mode", "tap"])
        process.run(["ip", "link", "set", FLOOR_TAP, "master", "berth0", "up"])


def measure(bench):
    figures = ("start", "forced stop")
    if not bench.guest:
        for figure in figures:
            yield not_run(figure, "no guest image: run scripts/guest-image")
        return
    rounds = 5 if bench.quick else 15
    starts, stops, floor_starts, floor_stops = [], [], [], []
    with Daemon(bench, "power") as daemon, daemon.connect() as connection:
        kernel = import_image(connection, os.path.join(bench.guest, "vmlinuz"), "kernel")
        initramfs = import_image(connection, os.path.join(bench.guest, "initramfs.img"), "initramfs")
        vm = create_vm(connection, "power", boot={"kind": "kernel", "kernel": kernel, "initramfs": initramfs, "command_line": "quiet"})["id"]
        # The first start is not counted: it brings the network up, and gives the command line.
        _, running = _start(connection, vm)
        bare = Bare(bench, running["status"]["pid"])
        _stop(connection, vm)
        _make_tap(bench)
        try:
            for _ in range(rounds):
                floor_starts.append(bare.start())
                floor_stops.append(bare.kill())
                starts.append(_start(connection, vm)[0])
                stops.append(_stop(connection, vm)[0])
        finally:
            bare.close()
            if bench.has_network:
                process.run(["ip", "link", "delete", FLOOR_TAP])
    for figure, ours, floor, allowance in zip(figures, (starts, stops), (floor_starts, floor_stops), (15, 10)):
        yield above_floor(figure, statistics.median(ours), "ms", allowance, statistics.median(floor), "bare QEMU",
                          f"+{statistics.median(ours) - statistics.median(floor):.1f} ms; {min(ours):.0f} to {max(ours):.0f}, "
                          f"floor {min(floor):.0f} to {max(floor):.0f}")
