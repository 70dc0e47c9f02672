#!/usr/bin/env python3
"""Holds machine/*.mm to Apple's API table.

Every class, protocol, enum and constant VZ… and every selector sent to one of its objects stands in
machine/lookalike/virtualization-api.tsv (or -extra.tsv); and what is newer than kMinimumMacos of machine/platform.hpp is used
only inside the braces of BERTH_IF_MACOS(N), with N at least its version. Selectors whose receiver is not known to be a VZ
object must be in FOUNDATION below, or be a selector of the table whatever its owner.
"""
import csv
import re
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MACHINE = ROOT / "machine"

# What machine/ asks of NSObject and Foundation. A selector that is in neither table nor list fails the test.
FOUNDATION = {
    "alloc", "init", "class", "retain", "release", "autorelease", "isKindOfClass:", "cancel", "code", "count",
    "addObject:", "array", "arrayWithObject:", "objectForKey:", "isEqualToString:", "integerValue", "doubleValue",
    "UTF8String", "bytes", "length", "domain", "userInfo", "localizedDescription", "name", "reason", "absoluteString",
    "fileURLWithPath:", "dataWithBytes:length:", "initWithBytes:length:encoding:", "processInfo",
    "isOperatingSystemAtLeastVersion:", "operatingSystemVersion", "initWithFileDescriptor:closeOnDealloc:",
    "addObserver:forKeyPath:options:context:", "removeObserver:forKeyPath:", "bundleForClass:",
    "objectForInfoDictionaryKey:",
}
NSOBJECT = {"alloc", "class", "retain", "release", "autorelease", "isKindOfClass:",
            "addObserver:forKeyPath:options:context:", "removeObserver:forKeyPath:"}


def version(text):
    match = re.match(r"(\d+)(?:\.(\d+))?", text or "")
    return (int(match[1]), int(match[2] or 0)) if match else (0, 0)


class Table:
    def __init__(self):
        self.names = {}  # class, protocol, enum or constant -> version
        self.parents = {}
        self.members = {}  # owner -> selector -> version
        for name in ("virtualization-api.tsv", "virtualization-extra.tsv"):
            with open(MACHINE / "lookalike" / name, encoding="utf-8") as file:
                for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
                    self.take({key: value or "" for key, value in row.items() if key})

    def take(self, row):
        kind, owner, name, since = row["kind"], row["owner"], row["name"], version(row["since"])
        if kind == "class":
            self.names[owner] = since
            self.parents[owner] = name
        elif kind in ("protocol", "enum", "options"):
            self.names[owner] = since
        elif kind == "constant":
            self.names[name] = since
        elif kind == "value":
            self.names[name if name.startswith("VZ") else owner + name] = since
        elif kind in ("method", "pmethod"):
            self.add(owner, name, since)
        elif kind == "prop":
            attributes = row["attributes_or_arguments"]
            getter = re.search(r"getter=(\w+)", attributes)
            setter = re.search(r"setter=?\s*`?(\w+:)", attributes)
            self.add(owner, getter[1] if getter else name, since)
            if "readonly" not in attributes:
                self.add(owner, setter[1] if setter else "set" + name[0].upper() + name[1:] + ":", since)

    def add(self, owner, selector, since):
        self.members.setdefault(owner, {})[selector] = since

    def find(self, owner, selector):
        """The version of a selector of a class or of what it inherits; None when there is none."""
        since = (0, 0)
        while owner in self.parents:
            since = max(since, self.names[owner]) if selector == "init" else since
            if selector in self.members.get(owner, {}):
                return max(since, self.members[owner][selector])
            owner = self.parents[owner]
        return since if selector in NSOBJECT or selector == "init" else None

    def versions(self, selector):
        return [members[selector] for members in self.members.values() if selector in members]


def without_comments_and_texts(source):
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|@?"(?:\\.|[^"\\])*"', re.S)
    return pattern.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), source)


def guards(source):
    """[(begin, end, major)] of the braces after BERTH_IF_MACOS(major)."""
    found = []
    for match in re.finditer(r"BERTH_IF_MACOS\((\d+)\)\s*\{", source):
        depth, end = 1, match.end()
        while depth:
            depth += {"{": 1, "}": -1}.get(source[end], 0)
            end += 1
        found.append((match.end(), end, int(match[1])))
    return found


class Messages:
    """The messages of one file: (offset, receiver class or None, selector)."""

    def __init__(self, source, table):
        self.source, self.table, self.found = source, table, []
        # Variables and the places of their declarations: the nearest one above counts.
        self.variables = [(match.start(), match[2], match[1]) for match in
                          re.finditer(r"\b(?:ObjCPtr<)?(VZ\w+)\s*(?:\*\s*|>\s+)(\w+)\b", source)]
        index = 0
        while (index := source.find("[", index)) >= 0:
            self.message(index)
            index += 1

    def skip(self, index):
        while index < len(self.source) and self.source[index].isspace():
            index += 1
        return index

    def balanced(self, index):
        """Behind the bracket that closes the one at `index`."""
        closing = {"[": "]", "(": ")", "{": "}"}
        stack = []
        while index < len(self.source):
            char = self.source[index]
            if char in closing:
                stack.append(closing[char])
            elif stack and char == stack[-1]:
                stack.pop()
                if not stack:
                    return index + 1
            index += 1
        raise ValueError("unbalanced")

    def receiver(self, index):
        """(end, class or None) of the expression at `index`; end is None when it is no receiver."""
        if self.source[index] == "[":
            end = self.balanced(index)
            return end, self.class_of_message(index)
        match = re.compile(r"\w+").match(self.source, index)
        if not match:
            return None, None
        end, name = match.end(), match[0]
        above = [owner for offset, variable, owner in self.variables if variable == name and offset < index]
        known = name if name in self.table.names else above[-1] if above else None
        while end < len(self.source):
            rest = self.source[end:end + 2]
            if rest[0] == "(":
                end = self.balanced(end)
            elif rest[0] == ".":
                end += 1
            elif rest in ("->", "::"):
                end += 2
            elif rest[0].isalnum() or rest[0] == "_":
                end = re.compile(r"\w+").match(self.source, end).end()
            else:
                break
        return end, known

    def parts(self, index):
        """(receiver's class, selector, is a message) of what begins at '['."""
        begin = self.skip(index + 1)
        end, owner = self.receiver(begin)
        if end is None:
            return None, None, False
        at = self.skip(end)
        if at == end and self.source[begin] != "[" or at >= len(self.source):
            return None, None, False
        match = re.compile(r"[A-Za-z_]\w*").match(self.source, at)
        if not match:
            return None, None, False
        after = self.skip(match.end())
        if self.source[after] == "]":
            return owner, match[0], True
        if self.source[after] != ":":
            return None, None, False
        selector, at, close = match[0] + ":", after + 1, self.balanced(index) - 1
        while at < close:
            char = self.source[at]
            if char in "[({":
                at = self.balanced(at)
            elif char == ":" and self.source[at - 1:at + 1] != "::" and self.source[at:at + 2] != "::":
                word = re.search(r"(\w+)\s*$", self.source[index:at])
                before = self.source[index:at][:word.start()].rstrip() if word else ""
                if word and "?" not in before[before.rfind(":") + 1:]:
                    selector += word[1] + ":"
                at += 1
            else:
                at += 1
        return owner, selector, True

    def class_of_message(self, index):
        owner, selector, is_message = self.parts(index)
        if not is_message or not owner:
            return None
        return owner if selector in ("alloc", "autorelease", "retain") or selector.startswith("init") else None

    def message(self, index):
        owner, selector, is_message = self.parts(index)
        if is_message:
            self.found.append((index, owner, selector))


class ApiTable(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.table = Table()
        header = (MACHINE / "platform.hpp").read_text(encoding="utf-8")
        cls.minimum = int(re.search(r"kMinimumMacos = (\d+)", header)[1])

    def problems(self, source):
        source = without_comments_and_texts(source)
        ranges = guards(source)

        def allowed(offset):
            return max([self.minimum] + [major for begin, end, major in ranges if begin <= offset < end])

        def line(offset):
            return source.count("\n", 0, offset) + 1

        found = []

        def judge(offset, what, since):
            if since is None:
                found.append(f"{line(offset)}: {what} is not in Apple's table")
            elif since > (allowed(offset), 99):
                found.append(f"{line(offset)}: {what} needs macOS {since[0]}, and stands where {allowed(offset)} is known")

        for match in re.finditer(r"\bVZ[A-Z]\w*", source):
            if match[0] in ("VZErrorDomain",) or not match[0].startswith(("VZMachine", "VZCore")):
                judge(match.start(), match[0], self.table.names.get(match[0]))
        for offset, owner, selector in Messages(source, self.table).found:
            if owner in self.table.parents:
                judge(offset, f"-[{owner} {selector}]", self.table.find(owner, selector))
                continue
            versions = self.table.versions(selector)
            if versions:
                judge(offset, selector, min(versions))
            elif selector not in FOUNDATION:
                found.append(f"{line(offset)}: {selector} is in neither Apple's table nor this test's list")
        for match in re.finditer(r"^- \(\w+\)(\w+:.*?)\{", source, re.M | re.S):
            selector = "".join(part + ":" for part in re.findall(r"(\w+)\s*:\(", match[1]))
            if selector != "observeValueForKeyPath:ofObject:change:context:":
                versions = self.table.versions(selector)
                judge(match.start(), selector, min(versions) if versions else None)
        return found

    def test_the_table_is_read(self):
        self.assertEqual(self.table.names["VZVirtualMachine"], (11, 0))
        self.assertEqual(self.table.names["VZErrorSave"], (14, 0))
        self.assertEqual(self.table.names["VZVirtualMachineStateSaving"], (14, 0))
        self.assertEqual(self.table.find("VZVirtualMachine", "isSupported"), (11, 0))
        self.assertEqual(self.table.find("VZVirtioNetworkDeviceConfiguration", "setMACAddress:"), (11, 0))
        self.assertEqual(self.table.find("VZVirtualMachine", "saveMachineStateToURL:completionHandler:"), (14, 0))
        self.assertIsNone(self.table.find("VZVirtualMachine", "explode"))
        self.assertGreater(len(self.table.names), 150)

    def test_it_finds_what_is_wrong(self):
        cases = [
            ("[[VZMacKeyboardConfiguration alloc] init];", "needs macOS 14"),
            ("BERTH_IF_MACOS(14) { [[VZXHCIControllerConfiguration alloc] init]; }", "needs macOS 15"),
            ("VZVirtualMachine* vm = nil; [vm explode];", "not in Apple's table"),
            ("VZVirtualMachine* vm = nil; [vm saveMachineStateToURL:a completionHandler:b];", "needs macOS 14"),
            ("[core.machine() saveMachineStateToURL:a completionHandler:^(NSError* e) { f(e); }];", "needs macOS 14"),
            ("[thing somethingNobodyHeardOf];", "neither"),
            ("VZTimeMachine* x;", "not in Apple's table"),
            ("if (s == VZVirtualMachineStateSaving) f();", "needs macOS 14"),
            ("BERTH_IF_MACOS(14) { f(); } VZErrorCode c = VZErrorSave;", "needs macOS 14"),
            ("[VZGenericPlatformConfiguration isNestedVirtualizationSupported]", "needs macOS 15"),
        ]
        for source, expected in cases:
            problems = self.problems(source)
            self.assertTrue(any(expected in problem for problem in problems), (source, problems))
        for source in [
            "BERTH_IF_MACOS(14) { [[[VZMacKeyboardConfiguration alloc] init] autorelease]; }",
            "VZVirtualMachine* vm = nil; [vm startWithCompletionHandler:handler];",
            "const auto f = [vm, x](int y) { return y ? x : y; };",
            "int a[3]; a[1] = b[c];",
            "// [thing somethingNobodyHeardOf] VZTimeMachine",
        ]:
            self.assertEqual(self.problems(source), [], source)

    def test_machine_uses_only_what_apple_declares(self):
        files = sorted(MACHINE.glob("*.mm")) + [MACHINE / "vz_core.hpp", MACHINE / "vz_configuration.hpp", MACHINE / "objc.hpp"]
        self.assertGreater(len(files), 8)
        messages = 0
        for file in files:
            source = file.read_text(encoding="utf-8")
            messages += len(Messages(without_comments_and_texts(source), self.table).found)
            self.assertEqual([f"{file.name}:{each}" for each in self.problems(source)], [])
        self.assertGreater(messages, 200, "the messages are found")


if __name__ == "__main__":
    sys.exit(unittest.main())
