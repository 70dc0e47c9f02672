"""From the moment when the kernel learns a guest's address to the answer of a request that waits for it."""
import os
import socket
import statistics
import struct
import time

import process
from daemon import WAIT, Daemon, create_vm, import_image
from http_client import request_bytes
from table import at_most, not_run

RTM_NEWNEIGH, RTM_DELNEIGH = 28, 29
NLM_F_REQUEST, NLM_F_ACK, NLM_F_REPLACE, NLM_F_CREATE = 0x1, 0x4, 0x100, 0x400
NDA_DST, NDA_LLADDR, NUD_REACHABLE, NLMSG_ERROR = 1, 2, 0x02, 2
BRIDGE = "berth0"


class Neighbours:
    """The neighbour table by rtnetlink, without a fork inside the measured time."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)  # NETLINK_ROUTE
        self.socket.settimeout(5)
        self.socket.bind((0, 0))
        self.interface = socket.if_nametoindex(BRIDGE)

    def _change(self, kind, flags, ip, mac=None):
        body = struct.pack("=BxxxiHBB", socket.AF_INET, self.interface, NUD_REACHABLE, 0, 0)
        body += struct.pack("=HH4s", 8, NDA_DST, socket.inet_aton(ip))
        if mac:
            body += struct.pack("=HH6sxx", 10, NDA_LLADDR, bytes.fromhex(mac.replace(":", "")))
        self.socket.send(struct.pack("=IHHII", 16 + len(body), kind, NLM_F_REQUEST | NLM_F_ACK | flags, 1, 0) + body)
        answer = self.socket.recv(4096)
        code = struct.unpack_from("=i", answer, 16)[0]
        if struct.unpack_from("=H", answer, 4)[0] != NLMSG_ERROR or code != 0:
            raise OSError(-code, os.strerror(-code), f"neighbour {ip}")

    def learn(self, ip, mac):
        self._change(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, ip, mac)

    def forget(self, ip):
        self._change(RTM_DELNEIGH, 0, ip)

    def close(self):
        self.socket.close()


def _addresses(connection, vm):
    return [item["ip"] for item in connection.get(f"/v1/vms/{vm}/addresses").json()["items"]]


def _one_round(daemon, connection, neighbours, vm, ip):
    target = f"/v1/vms/{vm['id']}/addresses"
    process.wait_until(lambda: not _addresses(connection, vm["id"]), 10, "the end of the last address")
    with daemon.connect() as waiting:
        waiting.send(request_bytes("GET", f"{target}?wait=10"))
        # An answer to a later request shows that the daemon has read the earlier one, and it must still be waiting.
        for _ in range(3):
            connection.get(target)
        begin = time.perf_counter()
        neighbours.learn(ip, vm["mac_address"])
        items = waiting.receive().expect(200).json()["items"]
        elapsed = (time.perf_counter() - begin) * 1000
    if [item["ip"] for item in items] != [ip]:
        raise RuntimeError(f"the answer should name {ip} and says {items}")
    neighbours.forget(ip)
    return elapsed


def measure(bench):
    figure = "address reported after the kernel learns it"
    if not bench.has_network or not bench.guest:
        yield not_run(figure, "needs root, for a network namespace and a bridge in it" if bench.guest else "no guest image")
        return
    with Daemon(bench, "address") as daemon, daemon.connect() as connection:
        boot = {"kind": "kernel", "kernel": import_image(connection, os.path.join(bench.guest, "vmlinuz"), "kernel"),
                "initramfs": import_image(connection, os.path.join(bench.guest, "initramfs.img"), "initramfs"),
                # The first process sleeps: no module is loaded, so the guest says nothing on the network.
                "command_line": "console=ttyS0 quiet rdinit=/bin/busybox -- sleep 1000000"}
        vm = create_vm(connection, "silent", boot=boot)
        connection.request("POST", f"/v1/vms/{vm['id']}/start", {}, WAIT).expect(200)
        neighbours = Neighbours()
        try:
            times = [_one_round(daemon, connection, neighbours, vm, f"192.168.64.{10 + number}")
                     for number in range(5 if bench.quick else 20)]
        finally:
            neighbours.close()
    yield at_most(figure, statistics.median(times), "ms", 50, note=f"{min(times):.1f} to {max(times):.1f} ms")
