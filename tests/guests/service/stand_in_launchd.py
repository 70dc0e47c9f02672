"""A launchd with one job: owns its socket, starts the real berthd on it, and does what launchctl is told to.

It behaves as launchd.plist(5) and launchctl(1) say: the socket outlives the process, an end in failure is followed by a new
start, an unload sends SIGTERM and leaves the process group alone.
"""
import os
import pathlib
import plistlib
import signal
import socket
import subprocess
import threading


class Launchd:
    def __init__(self, folder: pathlib.Path):
        self.calls: list[str] = []
        self.job: dict | None = None
        self.process: subprocess.Popen | None = None
        self.listener: socket.socket | None = None
        self.lock = threading.RLock()
        self.address = folder / "launchd.sock"
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(self.address))
        self.server.listen()
        self.server_thread = threading.Thread(target=self.serve, daemon=True)
        self.server_thread.start()

    def serve(self):
        while True:
            try:
                connection, _ = self.server.accept()
            except OSError:
                return  # shut down
            with connection:
                words = b"".join(iter(lambda: connection.recv(65536), b"")).decode().split("\0")
                code, text = self.obey(words)
                connection.sendall(f"{code}\n{text}".encode())

    def obey(self, words: list[str]) -> tuple[int, str]:
        if words[0] != "print":
            self.calls.append(" ".join(words))
        with self.lock:
            verb = words[0]
            if verb == "enable":
                return 0, ""
            if verb == "bootstrap":
                return self.load(pathlib.Path(words[2]))
            if self.job is None:
                return 113, "Could not find service\n"
            if verb == "print":
                pid = f"\tpid = {self.process.pid}\n" if self.is_running() else ""
                return 0, f"{words[1]} = {{\n\tstate = {'running' if pid else 'not running'}\n{pid}}}\n"
            if verb == "bootout":
                self.unload()
            elif verb == "kill":
                self.process.send_signal(getattr(signal, words[1]))
            elif verb == "kickstart" and not self.is_running():
                self.start()
            return 0, ""

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def load(self, file: pathlib.Path) -> tuple[int, str]:
        if self.job is not None:
            return 37, "Bootstrap failed: 37: Operation already in progress\n"
        self.job = plistlib.loads(file.read_bytes())
        place = self.job["Sockets"]["Listeners"]
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(place["SockPathName"])
        os.chmod(place["SockPathName"], place["SockPathMode"])
        self.listener.listen(128)
        if self.job["RunAtLoad"]:
            self.start()
        return 0, ""

    def start(self):
        log = open(self.job["StandardErrorPath"], "ab")
        # Descriptor 3 and LISTEN_PID are how the Linux build is given what launch_activate_socket gives on a Mac.
        descriptor = self.listener.fileno()
        script = f'exec 3<&{descriptor}; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"'
        self.process = subprocess.Popen(["bash", "-c", script, "launchd", *self.job["ProgramArguments"]], pass_fds=[descriptor],
                                        stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        log.close()
        threading.Thread(target=self.keep_alive, args=[self.process], daemon=True).start()

    def keep_alive(self, process: subprocess.Popen):
        code = process.wait()
        with self.lock:
            if self.process is process and self.job is not None and code != 0 and self.job["KeepAlive"]["Crashed"]:
                self.start()

    def unload(self):
        job, self.job = self.job, None
        if self.is_running():
            self.process.terminate()
            try:
                self.process.wait(job["ExitTimeOut"])
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.listener.close()
        os.unlink(job["Sockets"]["Listeners"]["SockPathName"])

    def close(self):
        with self.lock:
            if self.job is not None:
                self.unload()
        # Awake before it is closed: the number of the descriptor may be the next one's at once.
        self.server.shutdown(socket.SHUT_RDWR)
        self.server_thread.join()
        self.server.close()
