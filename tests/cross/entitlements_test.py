#!/usr/bin/env python3
"""The entitlements of berth-machine: what anybody may sign with in one file, what Apple must grant in the other."""
import pathlib
import plistlib
import sys
import unittest

FOLDER = pathlib.Path(sys.argv.pop())


def entitlements(name: str) -> dict:
    return plistlib.loads((FOLDER / name).read_bytes())


class Entitlements(unittest.TestCase):
    def test_the_default_asks_for_virtualization_alone(self):
        self.assertEqual(entitlements("berth-machine.entitlements"), {"com.apple.security.virtualization": True})

    def test_bridged_networks_ask_for_one_more(self):
        self.assertEqual(entitlements("berth-machine-bridged.entitlements"),
                         {"com.apple.security.virtualization": True, "com.apple.vm.networking": True})


if __name__ == "__main__":
    unittest.main(verbosity=2)
