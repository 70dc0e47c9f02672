#!/usr/bin/env python3
"""Packs the build, and takes the package through its life: installed, served, upgraded, removed, purged.

Usage: package_test.py FOLDER-OF-THE-BUILD CPACK

The host stays as it is: all of it happens in a mount namespace, on an overlay over / that lies in memory.
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

BUILD, CPACK = sys.argv[1:3]
HERE = pathlib.Path(__file__).parent

FILES = """
./usr/bin/berth ./usr/sbin/berthd ./usr/share/man/man1/berth.1 ./usr/share/man/man8/berthd.8
./usr/share/bash-completion/completions/berth ./usr/share/zsh/site-functions/_berth
./usr/share/fish/vendor_completions.d/berth.fish ./usr/share/doc/berth/LICENSE
./usr/share/doc/berth/THIRD-PARTY-NOTICES.md ./usr/lib/systemd/system/berthd.service
./usr/lib/systemd/system/berthd.socket ./usr/lib/systemd/user/berthd.service ./usr/lib/systemd/user/berthd.socket
./etc/berth/berthd.conf
""".split()


def run(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode != 0:
        raise AssertionError(f"{words} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


class Package(unittest.TestCase):
    folder: pathlib.Path
    package: pathlib.Path

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="berth-package-"))
        subprocess.run([CPACK, "-G", "DEB", "--config", f"{BUILD}/CPackConfig.cmake", "-B", str(cls.folder)], check=True,
                       stdout=subprocess.DEVNULL, cwd=cls.folder)
        [cls.package] = cls.folder.glob("*.deb")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def test_everything_is_in_it(self):
        content = {line.split()[5] for line in run("dpkg-deb", "--contents", str(self.package)).splitlines()}
        self.assertEqual([file for file in FILES if file not in content], [])
        self.assertEqual([file for file in content if file.startswith("./usr/local")], [])

    def test_it_names_what_it_needs(self):
        depends = run("dpkg-deb", "--field", str(self.package), "Depends")
        for name in ("libcurl4", "libzip4", "libsqlite3-0", "libplist3", "libc6"):
            self.assertIn(name, depends)

    def test_its_texts_are_whole(self):
        unpacked = self.folder / "unpacked"
        run("dpkg-deb", "--extract", str(self.package), str(unpacked))
        for page, words in (("man1/berth.1", ["SYNOPSIS", "service install", "EXIT STATUS"]),
                            ("man8/berthd.8", ["state-dir", "guests", "SIGUSR1"])):
            file = str(unpacked / "usr/share/man" / page)
            if not shutil.which("groff"):
                self.skipTest("groff is not installed")
            shown = subprocess.run(["groff", "-K", "utf8", "-man", "-Tutf8", "-ww", "-P-c", "-P-b", "-P-u", file], capture_output=True, text=True)
            if shown.returncode == 0:
                self.assertEqual(shown.stderr, "", "groff finds no fault")
            text = shown.stdout.replace("\u2010", "-").replace("\u2212", "-")
            for word in words:
                self.assertIn(word, text)
        for shell, file in (("bash", "bash-completion/completions/berth"), ("zsh", "zsh/site-functions/_berth"),
                            ("fish", "fish/vendor_completions.d/berth.fish")):
            if shutil.which(shell):
                run(shell, "-n", str(unpacked / "usr/share" / file))
        unit = (unpacked / "usr/lib/systemd/system/berthd.service").read_text()
        self.assertIn("ExecStart=/usr/sbin/berthd --config /etc/berth/berthd.conf\n", unit)
        for file in (unpacked / "usr/lib/systemd").rglob("berthd.*"):
            self.assertNotIn("@", file.read_text())

    def test_it_comes_serves_and_goes(self):
        done = subprocess.run(["unshare", "--mount", "--pid", "--fork", "--kill-child", str(HERE / "life"), str(self.package)],
                              capture_output=True, text=True)
        if done.returncode == 77 or done.stderr.startswith("unshare:"):
            self.skipTest(done.stderr.strip())
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("life: purged", done.stdout)


if __name__ == "__main__":
    del sys.argv[1:3]
    unittest.main(verbosity=2)
