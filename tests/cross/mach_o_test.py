#!/usr/bin/env python3
"""Reads the programs that ./dev cross has linked: what dyld of macOS 14 would be asked for, and nothing else.

Usage: mach_o_test.py ALLOWED STUBS PROGRAM...    ALLOWED: lines "library symbol"; STUBS: the folder with the .tbd files
"""
import pathlib
import re
import subprocess
import sys
import unittest

# Nothing that is newer than macOS 11.
LOAD_COMMANDS = {
    "LC_SEGMENT_64", "LC_DYLD_INFO_ONLY", "LC_DYLD_CHAINED_FIXUPS", "LC_DYLD_EXPORTS_TRIE", "LC_SYMTAB", "LC_DYSYMTAB",
    "LC_LOAD_DYLINKER", "LC_LOAD_DYLIB", "LC_MAIN", "LC_BUILD_VERSION", "LC_SOURCE_VERSION", "LC_UUID", "LC_FUNCTION_STARTS",
    "LC_DATA_IN_CODE", "LC_CODE_SIGNATURE",
}
NEEDED = {"LC_MAIN", "LC_BUILD_VERSION", "LC_UUID", "LC_CODE_SIGNATURE", "LC_LOAD_DYLINKER"}


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def load_commands(text: str) -> list[dict[str, str]]:
    """The output of llvm-objdump --macho --private-headers, one dictionary a command."""
    commands: list[dict[str, str]] = []
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] == "cmd":
            commands.append({"cmd": words[1]})
        elif len(words) >= 2 and commands:
            commands[-1].setdefault(words[0], words[1])
    return commands


def undefined_symbols(text: str) -> set[str]:
    """The output of llvm-nm -u -m as lines "library symbol"; what names no library is looked up anywhere, and shows as "?"."""
    found = set()
    for line in text.splitlines():
        match = re.search(r"\(undefined[^)]*\) (?:weak )?(?:lazy )?external (\S+)(?: \(from (\S+)\))?", line)
        if match:
            found.add(f"{match[2] or '?'} {match[1]}")
    return found


def install_names(folder: pathlib.Path) -> set[str]:
    return {re.search(r"install-name: +'([^']+)'", stub.read_text())[1] for stub in folder.glob("*.tbd")}


def allowed_symbols(file: pathlib.Path) -> set[str]:
    lines = (line.split("#")[0].split() for line in file.read_text().splitlines())
    return {" ".join(words) for words in lines if words}


class MachO(unittest.TestCase):
    allowed: set[str]
    libraries: set[str]
    programs: list[str]

    def each(self):
        for program in self.programs:
            with self.subTest(program=pathlib.Path(program).name):
                yield program, load_commands(run("llvm-objdump-19", "--macho", "--private-headers", program))

    def test_is_a_program_for_apple_silicon(self):
        for program, _ in self.each():
            header = run("llvm-objdump-19", "--macho", "--private-header", program).split()
            for word in ("MH_MAGIC_64", "ARM64", "EXECUTE", "PIE", "TWOLEVEL"):
                self.assertIn(word, header)

    def test_runs_on_macos_14(self):
        for _, commands in self.each():
            versions = [each for each in commands if each["cmd"] == "LC_BUILD_VERSION"]
            self.assertEqual([(each["platform"], each["minos"]) for each in versions], [("macos", "14.0")])

    def test_load_commands_are_known(self):
        for _, commands in self.each():
            names = {each["cmd"] for each in commands}
            self.assertEqual(names - LOAD_COMMANDS, set())
            self.assertEqual(NEEDED - names, set())

    def test_libraries_are_those_of_the_stubs(self):
        for _, commands in self.each():
            used = {each["name"] for each in commands if each["cmd"] == "LC_LOAD_DYLIB"}
            self.assertIn("/usr/lib/libSystem.B.dylib", used)
            self.assertEqual(used - self.libraries - {"/usr/lib/libSystem.B.dylib"}, set())

    def test_asks_for_no_symbol_that_is_not_allowed(self):
        for program, _ in self.each():
            symbols = undefined_symbols(run("llvm-nm-19", "-u", "-m", program))
            self.assertGreater(len(symbols), 100)
            new = sorted(symbols - self.allowed)
            self.assertEqual(new, [], "new symbols: does macOS 14 have them? Then they belong into " + sys.argv[1])

    def test_a_new_symbol_is_named(self):
        sample = "  (undefined) external _open (from libSystem)\n  (undefined) weak external _epoll_wait (from libSystem)\n" \
                 "  (undefined) external _pidfd_open (dynamically looked up)\n  00000 (__TEXT,__text) external _main\n"
        self.assertEqual(undefined_symbols(sample), {"libSystem _open", "libSystem _epoll_wait", "? _pidfd_open"})
        self.assertEqual(undefined_symbols(sample) - {"libSystem _open"}, {"libSystem _epoll_wait", "? _pidfd_open"})


if __name__ == "__main__":
    MachO.allowed = allowed_symbols(pathlib.Path(sys.argv[1]))
    MachO.libraries = install_names(pathlib.Path(sys.argv[2]))
    MachO.programs = sys.argv[3:]
    unittest.main(argv=sys.argv[:1], verbosity=2)
