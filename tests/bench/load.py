"""h2load: requests a second and latencies over one Unix socket, from one thread on the load's core."""
import re

import process

SERVER_CORE = 0
LOAD_CORE = 1
CONNECTIONS = 16


def rate(socket, target, seconds, log=None, connections=CONNECTIONS):
    """Requests a second with so many kept connections; refuses to count a run with anything but 200s."""
    command = ["h2load", "--h1", "-t1", f"-c{connections}", f"-D{seconds}", f"--base-uri=unix:{socket}"]
    if log is not None:
        command.append(f"--log-file={log}")
    text = process.run(process.pinned(LOAD_CORE, [*command, f"http://berth{target}"]), seconds + 30)
    speed = re.search(r"finished in [^,]+, ([0-9.]+) req/s", text)
    codes = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", text)
    failed = re.search(r"(\d+) failed, (\d+) errored, (\d+) timeout", text)
    if not speed or not codes or not failed:
        raise RuntimeError(f"h2load said: {text}")
    if int(codes[1]) == 0 or any(int(number) for number in [*codes.groups()[1:], *failed.groups()]):
        raise RuntimeError(f"h2load on {target}: {codes[0]}; {failed[0]}")
    return float(speed[1])


def percentile_ms(log, percent):
    """Of the times in h2load's own log, whose third column is microseconds until the end of the response."""
    with open(log) as file:
        times = sorted(int(line.split("\t")[2]) for line in file)
    return times[min(len(times) - 1, len(times) * percent // 100)] / 1000
