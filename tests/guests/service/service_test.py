#!/usr/bin/env python3
"""A life under a service manager: the real berth and berthd, a stand-in for launchd, and a real guest that stays.

Usage: service_test.py FOLDER-OF-THE-BUILD
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import unittest

from stand_in_launchd import Launchd

BUILD = pathlib.Path(sys.argv.pop(1))
GUEST = pathlib.Path(os.environ.get("BERTH_GUEST_DIR", BUILD / "guest"))
HERE = pathlib.Path(__file__).parent


class Service(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-service-", dir="/tmp"))  # short, for sockets
        self.home = self.folder / "home"
        self.home.mkdir()
        self.programs = self.folder / "sbin"
        self.programs.mkdir()
        shutil.copy(BUILD / "berthd", self.programs)
        self.config = self.folder / "config"
        self.config.write_text(f"network=user\naccelerator=tcg\nlock-dir={self.folder}/locks\n")
        self.launchd = Launchd(self.folder)
        self.state = self.home / "state"
        self.socket = self.state / "run/berthd.sock"
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), "BERTH_SERVICE_MANAGER": "launchd",
                            "BERTH_LAUNCHCTL": str(HERE / "launchctl"), "BERTH_PLUTIL": "/no/plutil",
                            "STAND_IN_LAUNCHD": str(self.launchd.address), "BERTH_SOCKET": str(self.socket)}
        self.file = self.home / "Library/LaunchAgents/berth.berthd.plist"

    def tearDown(self):
        if self.file.exists() and self.launchd.job is not None:
            self.berth("stop", "-f", "guest", expect=None)
        self.launchd.close()
        for pid in self.guests():
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder)

    def berth(self, *words: str, expect: int | None = 0) -> str:
        done = subprocess.run([BUILD / "berth", *words], env=self.environment, capture_output=True, text=True, timeout=200)
        if expect is not None:
            log = self.home / "Library/Logs/berth/berthd.log"
            self.assertEqual(done.returncode, expect, f"{words}: {done.stdout}{done.stderr}\n" + (log.read_text() if log.exists() else ""))
        return done.stdout + done.stderr

    def install(self, *words: str) -> str:
        return self.berth("service", "install", "--berthd", str(self.programs / "berthd"), "--state-dir", str(self.state),
                          "--config", str(self.config), *words)

    def guests(self) -> list[int]:
        found = []
        for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = entry.read_bytes()
            except OSError:
                continue  # it has ended
            if b"qemu-system-" in words.split(b"\0")[0] and str(self.state).encode() in words:
                found.append(int(entry.parent.name))
        return found

    def wait_for_answer(self):
        self.berth("--timeout", "20s", "version")
        host = json.loads(self.berth("-o", "json", "host"))
        self.assertEqual([each["inherited"] for each in host["listeners"]], [True])

    def start_guest(self) -> int:
        if not (GUEST / "vmlinuz").exists():
            self.skipTest(f"there is no guest in {GUEST}; scripts/guest-image makes it")
        self.berth("create", "guest", "--memory", "128M", "--kernel", str(GUEST / "vmlinuz"), "--initramfs",
                   str(GUEST / "initramfs.img"), "--start")
        self.assertEqual(len(self.guests()), 1)
        return self.guests()[0]

    def test_verbs_do_nothing_the_second_time(self):
        self.assertIn("wrote", self.install())
        self.assertEqual(self.launchd.calls, [f"enable gui/{os.getuid()}/berth.berthd",
                                              f"bootstrap gui/{os.getuid()} {self.file}"])
        self.wait_for_answer()
        self.assertEqual(self.socket.stat().st_mode & 0o777, 0o600)
        self.launchd.calls.clear()
        self.assertIn("already loaded", self.install())
        self.assertEqual(self.launchd.calls, [])
        self.assertIn(f"pid {self.launchd.process.pid}", self.berth("service", "status"))
        self.assertIn("listening on", self.berth("service", "logs"))
        for _ in range(2):
            self.berth("service", "stop")
        self.assertEqual(self.launchd.calls, [f"bootout gui/{os.getuid()}/berth.berthd"])
        self.assertIn("not running", self.berth("service", "status", expect=3))
        for _ in range(2):
            self.berth("service", "start")
        self.wait_for_answer()
        for _ in range(2):
            self.berth("service", "uninstall")
        self.assertFalse(self.file.exists())
        self.assertFalse(self.socket.exists())
        self.assertTrue((self.state / "berth.db").exists(), "the state stays")

    def test_a_dry_run_leaves_no_trace(self):
        before = sorted(self.folder.rglob("*"))
        self.assertIn("<key>Sockets</key>", self.install("--dry-run"))
        for verb in ("uninstall", "start", "stop", "logs", "upgrade"):
            self.berth("service", verb, "--dry-run")
        self.assertEqual(sorted(self.folder.rglob("*")), before)
        self.assertEqual(self.launchd.calls, [])

    def test_a_killed_daemon_comes_back_and_takes_its_guest(self):
        self.install()
        guest = self.start_guest()
        before = self.launchd.process.pid
        self.launchd.process.kill()
        self.wait_for_answer()  # the socket was there all the time: this waits in its queue
        self.assertNotEqual(self.launchd.process.pid, before)
        self.assertEqual(self.guests(), [guest])

    def test_an_upgrade_leaves_guests_and_clients_alone(self):
        self.install("--guests", "suspend")
        guest = self.start_guest()
        daemon = self.launchd.process.pid
        fresh = self.folder / "fresh"
        fresh.mkdir()
        shutil.copy(BUILD / "berthd", fresh)
        with open(fresh / "berthd", "ab") as program:
            program.write(b"another build")
        done, codes = threading.Event(), []

        def look():
            while not done.is_set():
                codes.append(subprocess.run([BUILD / "berth", "version"], env=self.environment, capture_output=True).returncode)

        looking = threading.Thread(target=look)
        looking.start()
        try:
            said = self.berth("service", "upgrade", "--from", str(fresh))
        finally:
            done.set()
            looking.join()
        self.assertIn("berthd answers", said)
        self.assertEqual(set(codes), {0}, "no client was refused")
        self.assertNotEqual(self.launchd.process.pid, daemon)
        self.assertEqual((self.programs / "berthd").read_bytes(), (fresh / "berthd").read_bytes())
        self.assertEqual(self.guests(), [guest])
        self.assertEqual(json.loads(self.berth("-o", "json", "ls", "guest"))["items"][0]["status"]["state"], "running")

        # Stopped, it does what --guests says.
        self.berth("service", "stop")
        self.assertEqual(self.guests(), [])
        self.berth("service", "start")
        self.wait_for_answer()
        self.assertEqual(json.loads(self.berth("-o", "json", "ls", "guest"))["items"][0]["status"]["state"], "suspended")

    def test_a_berthd_that_does_not_come_up_is_taken_back(self):
        self.install()
        old = (self.programs / "berthd").read_bytes()
        fresh = self.folder / "fresh"
        fresh.mkdir()
        (fresh / "berthd").write_text('#!/bin/sh\n[ "$1" = --version ] && echo berthd 9.9.9 && exit 0\nexit 0\n')
        (fresh / "berthd").chmod(0o755)
        said = self.berth("service", "upgrade", "--from", str(fresh), expect=6)
        self.assertIn("the old programs are back", said)
        self.assertEqual((self.programs / "berthd").read_bytes(), old)
        self.wait_for_answer()


if __name__ == "__main__":
    unittest.main(verbosity=2)
