"""Children of the bench: started pinned or not, ended by their pid, and swept up when the bench ends."""
import ctypes
import os
import shutil
import signal
import subprocess
import time

CLONE_NEWNET = 0x40000000


def pinned(core, command):
    """The command as it runs on one core; unchanged where there is only one, or when no core is asked for."""
    if core is None or (os.cpu_count() or 1) < 2:
        return command
    return ["taskset", "-c", str(core), *command]


def start(command, log, environment=None):
    """A child in a session of its own, so that Ctrl-C reaches the bench alone, which then ends it in good order."""
    with open(log, "ab") as output:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                                env=environment)


def end(child, seconds=5):
    """Asks, waits, then insists."""
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def run(command, seconds=60, environment=None):
    """A command that must succeed, and its output."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, env=environment)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def wait_until(condition, seconds, what):
    """Asks again and again, for at most so long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.002)
    raise RuntimeError(f"{what} did not happen within {seconds} s")


def enter_own_network():
    """Root only: a network namespace for this process and its children. It goes when the last of them does."""
    if os.geteuid() != 0:
        return False
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        return False
    run(["ip", "link", "set", "lo", "up"])
    return True


def _is_ours(pid, folder, network):
    try:
        if network is not None and os.readlink(f"/proc/{pid}/ns/net") == network:
            return True
        return any(os.fsencode(folder) in read_bytes(f"/proc/{pid}/{name}") for name in ("cmdline", "environ"))
    except OSError:  # it has ended, or is another user's
        return False


def read_bytes(path):
    with open(path, "rb") as file:
        return file.read()


def sweep(folder, has_own_network):
    """Ends what still runs for us: guests outlive their daemon by design. Ours is what lives in our own network
    namespace, or names our folder on its command line or in its environment."""
    network = os.readlink("/proc/self/ns/net") if has_own_network else None
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid() and _is_ours(int(entry), folder, network):
            try:
                os.kill(int(entry), signal.SIGKILL)
            except ProcessLookupError:
                pass


def remove_folder(folder):
    """Also with what is written in folders that are read-only, as podman's layers are."""
    def make_writable(_function, path, _error):
        try:
            os.chmod(os.path.dirname(path), 0o700)
            if not os.path.isdir(path):
                os.unlink(path)
        except OSError:
            pass

    for _ in range(2):  # the second time everything is writable
        shutil.rmtree(folder, onerror=make_writable)
        if not os.path.exists(folder):
            return
    print(f"bench: could not remove {folder}", flush=True)
