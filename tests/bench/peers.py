"""The same list from others: 100 containers of LXD and of podman, none of them running, each in folders of its own.

Everyone is asked over one connection: podman answers sixteen at once more slowly than one after the other."""
import json
import os
import shutil
import statistics
import tarfile

import load
import process
from daemon import Daemon
from fleet import create_many, names
from http_client import Connection
from table import Row, not_run

COUNT = 100


def _wait_for_socket(child, path):
    def answers():
        if child.poll() is not None:
            raise RuntimeError(f"it ended with {child.returncode} before it listened")
        try:
            Connection(path, 5).close()
            return True
        except (FileNotFoundError, ConnectionError):
            return False

    process.wait_until(answers, 30, "its first answer")


class Podman:
    name = "podman"
    target = "/v4.0.0/libpod/containers/json?all=true"

    def __init__(self, bench):
        self.folder = os.path.join(bench.folder, "podman")
        self.socket = os.path.join(self.folder, "s")
        os.makedirs(self.folder)
        self.child = None
        # Without root podman leaves a process behind that holds its user namespace; the sweep knows it by these.
        self.environment = {**os.environ, "HOME": self.folder, "XDG_RUNTIME_DIR": self.folder, "TMPDIR": self.folder}

    def _command(self, *words):
        # Containers are created and never started, so neither cgroups nor a network are touched.
        return ["podman", "--root", f"{self.folder}/root", "--runroot", f"{self.folder}/run", "--tmpdir", f"{self.folder}/tmp",
                "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--events-backend", "none", *words]

    def start(self):
        self._make_image()
        command = self._command("system", "service", "--time=0", f"unix://{self.socket}")
        self.child = process.start(process.pinned(load.SERVER_CORE, command), f"{self.folder}/log", self.environment)
        _wait_for_socket(self.child, self.socket)
        with Connection(self.socket) as connection:
            for number in range(COUNT):
                body = {"image": "localhost/bench:1", "name": f"c{number}", "command": ["/nothing"], "netns": {"nsmode": "none"}}
                connection.request("POST", "/v4.0.0/libpod/containers/create", body).expect(201)

    def _make_image(self):
        """An image of one empty file: nothing is fetched."""
        rootfs = f"{self.folder}/rootfs.tar"
        with tarfile.open(rootfs, "w") as archive:
            archive.addfile(tarfile.TarInfo("nothing"))
        process.run(self._command("import", rootfs, "bench:1"), environment=self.environment)

    def count(self, body):
        return len(json.loads(body))

    def stop(self):
        if self.child is not None:
            process.end(self.child)


class Lxd:
    name = "LXD"
    target = "/1.0/instances?recursion=1"

    def __init__(self, bench):
        self.folder = os.path.join(bench.folder, "lxd")
        self.socket = os.path.join(self.folder, "unix.socket")
        os.makedirs(self.folder)
        self.child = None
        self.environment = {**os.environ, "LXD_DIR": self.folder, "LXD_CONF": os.path.join(self.folder, "conf"), "HOME": self.folder}

    def _lxc(self, *words):
        process.run(["lxc", *words], environment=self.environment)

    def start(self):
        if os.geteuid() != 0:
            raise RuntimeError("needs root")
        command = process.pinned(load.SERVER_CORE, ["lxd", "--group", "root"])
        self.child = process.start(command, f"{self.folder}/../lxd.log", self.environment)
        process.run(["lxd", "waitready", "--timeout=30"], 40, self.environment)
        self._lxc("storage", "create", "default", "dir")
        self._lxc("profile", "device", "add", "default", "root", "disk", "path=/", "pool=default")
        for number in range(COUNT):
            self._lxc("init", "--empty", f"c{number}")

    def count(self, body):
        return len(json.loads(body)["metadata"])

    def stop(self):
        if self.child is not None:
            process.end(self.child, 15)
        for mount in ("shmounts", "devlxd"):
            path = os.path.join(self.folder, mount)
            if os.path.ismount(path):
                process.run(["umount", "--lazy", path])


def _rate(socket, target, bench):
    return statistics.median(load.rate(socket, target, 2 if bench.quick else 4, connections=1) for _ in range(3))


def _peer(bench, peer):
    try:
        peer.start()
        with Connection(peer.socket) as connection:
            count = peer.count(connection.get(peer.target).body)
        if count != COUNT:
            raise RuntimeError(f"lists {count} instead of {COUNT}")
        return _rate(peer.socket, peer.target, bench)
    finally:
        peer.stop()


def measure(bench):
    with Daemon(bench, "peer", load.SERVER_CORE) as daemon:
        create_many(daemon.socket, 16, names("vm", COUNT))
        ours = _rate(daemon.socket, "/v1/vms?limit=100", bench)
    for kind, program in ((Lxd, "lxd"), (Podman, "podman")):
        figure = f"list of {COUNT}, {kind.name}"
        if not shutil.which(program):
            yield not_run(figure, f"{program} is not installed: apt-get install {program}")
            continue
        try:
            theirs = _peer(bench, kind(bench))
        except (RuntimeError, OSError) as error:
            yield not_run(figure, f"{kind.name} did not run here: {str(error)[:120]}")
            continue
        yield Row(figure, ours, "req/s", theirs, kind.name, note="one connection; for comparison")
