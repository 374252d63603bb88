# SPDX-License-Identifier: GPL-2.0-or-later
"""Network namespaces, cgroups and child processes of one test, and their certain removal.

Everything has a name that begins with "ob-PID-", PID being the test's own process, so that tests
run side by side and sweep() can remove what a killed test left. Nothing here touches the host's
own network namespace, and only processes that were started here are ended, by their number.
"""

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET, CLONE_NEWNS = 0x40000000, 0x00020000
PR_SET_PDEATHSIG = 1
NETNS = "/run/netns/"


# On a slow machine, such as an emulated one, waits take as many times longer.
PATIENCE = float(os.environ.get("OUTBIND_PATIENCE", "1"))


class Skip(Exception):
    """The test cannot run here; the text says why."""


def run(*command, text=None, ok=True, timeout=60, **options):
    """Run a command, return its result; with ok, fail if it fails."""
    result = subprocess.run([str(word) for word in command], input=text, capture_output=True,
                            text=True, timeout=timeout * PATIENCE, **options)
    if ok and result.returncode:
        raise AssertionError("%s: exit %d: %s" % (" ".join(map(str, command)), result.returncode,
                                                 (result.stderr or result.stdout).strip()))
    return result


def wait_for(what, condition, seconds=5.0, step=0.01):
    """Poll until condition() is true; return its value."""
    end = time.monotonic() + seconds * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("waited %.1f s for: %s" % (seconds, what))
        time.sleep(step)


def check(what, got, want):
    if got != want:
        raise AssertionError("%s: got %r, want %r" % (what, got, want))


def setns(path):
    with open(path) as handle:
        if libc.setns(handle.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns " + path)


@contextlib.contextmanager
def inside(path):
    """The calling thread is in that namespace for a while; its sockets stay there."""
    with open("/proc/thread-self/ns/net") as home:
        setns(path)
        try:
            yield
        finally:
            if libc.setns(home.fileno(), CLONE_NEWNET):
                os._exit(70)


def end_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def cgroup2_mount():
    """A cgroup2 mount where directories can be made, or None."""
    with open("/proc/mounts") as mounts:
        for line in mounts:
            words = line.split()
            if words[2] == "cgroup2" and "rw" in words[3].split(","):
                if os.access(words[1], os.W_OK):
                    return words[1]
    return None


def cgroup_kill(path):
    """End the processes in a cgroup of ours and below, then remove it."""
    if not os.path.isdir(path):
        return
    for folder, folders, _ in os.walk(path, topdown=False):
        for _ in range(200):
            try:
                os.rmdir(folder)
                break
            except FileNotFoundError:
                break
            except OSError:
                with contextlib.suppress(OSError), open(folder + "/cgroup.procs") as procs:
                    for pid in procs.read().split():
                        with contextlib.suppress(OSError):
                            os.kill(int(pid), signal.SIGKILL)
                time.sleep(0.01)


def unmount_below(directory):
    """Whatever is mounted there, the last first, and also while it is in use."""
    with open("/proc/mounts") as mounts:
        paths = [line.split()[1] for line in mounts]
    for path in reversed([path for path in paths if path.startswith(directory + "/")]):
        run("umount", "--lazy", path, ok=False)


def sweep(pid):
    """Remove what the test with this process number left, if anything; return what it was."""
    prefix, found = "ob-%d-" % pid, []
    if os.path.isdir(NETNS):
        for name in sorted(os.listdir(NETNS)):
            if name.startswith(prefix):
                found.append("namespace " + name)
                run("ip", "netns", "del", name, ok=False)
    mount = cgroup2_mount()
    for name in os.listdir(mount) if mount else ():
        if name.startswith(prefix):
            found.append("cgroup " + name)
            cgroup_kill(os.path.join(mount, name))
    for name in os.listdir(tempfile.gettempdir()):
        if name.startswith(prefix):
            found.append("directory " + name)
            directory = os.path.join(tempfile.gettempdir(), name)
            unmount_below(directory)
            shutil.rmtree(directory, ignore_errors=True)
    return found


class Place:
    """Namespaces by short name, one cgroup subtree, one directory, children; ends all in close()."""

    count = 0

    def __init__(self):
        if os.geteuid():
            raise Skip("needs root")
        Place.count += 1
        self.prefix = "ob-%d-%d" % (os.getpid(), Place.count)
        self.namespaces, self.children = {}, []
        self.dir = tempfile.mkdtemp(prefix=self.prefix + "-")
        os.chmod(self.dir, 0o755)
        mount = cgroup2_mount()
        if not mount:
            mount = os.path.join(self.dir, "cgroup2")
            os.mkdir(mount)
            if run("mount", "-t", "cgroup2", "none", mount, ok=False).returncode:
                self.close()
                raise Skip("no writable cgroup2 file system, and none could be mounted")
        self.cgroup_mount = mount
        self.cgroup_root = os.path.join(mount, self.prefix)
        os.mkdir(self.cgroup_root)

    def close(self):
        for pid in reversed(self.children):
            self.end(pid)
        for name in list(self.namespaces.values()):
            run("ip", "netns", "del", name, ok=False)
        self.namespaces.clear()
        if hasattr(self, "cgroup_root"):
            cgroup_kill(self.cgroup_root)
        unmount_below(self.dir)
        shutil.rmtree(self.dir, ignore_errors=True)

    def end(self, pid, sig=signal.SIGKILL):
        """End a child of ours and wait for it; returns its wait status, None if it is gone."""
        if pid not in self.children:
            return None
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sig)
        return self.reap(pid)

    def reap(self, pid, seconds=10):
        end = time.monotonic() + seconds
        while pid in self.children:
            try:
                got, status = os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                got, status = pid, None
            if got:
                self.children.remove(pid)
                return status
            if time.monotonic() > end:
                raise AssertionError("process %d did not end in %d s" % (pid, seconds))
            time.sleep(0.005)
        return None

    def add_namespace(self, short):
        name = "%s-%s" % (self.prefix, short)
        result = run("ip", "netns", "add", name, ok=False)
        if result.returncode:
            raise Skip("no network namespace: " + result.stderr.strip())
        self.namespaces[short] = name
        with self.inside(short):
            self.sysctl("net.ipv6.conf.default.accept_dad", 0)
            self.sysctl("net.ipv6.conf.default.accept_ra", 0)
            self.sysctl("net.ipv4.conf.default.rp_filter", 0)
            self.sysctl("net.ipv4.conf.all.rp_filter", 0)
            self.sysctl("net.ipv4.ping_group_range", "0 2147483647")
        self.ip(short, "link set lo up")

    def path(self, short):
        return NETNS + self.namespaces[short]

    def inside(self, short):
        return inside(self.path(short))

    def ip(self, short, *lines):
        """Lines for `ip -batch` in a namespace."""
        run("ip", "-n", self.namespaces[short], "-batch", "-", text="\n".join(lines) + "\n")

    @staticmethod
    def sysctl(name, value):
        with open("/proc/sys/" + name.replace(".", "/"), "w") as knob:
            knob.write(str(value))

    def run(self, short, *command, **options):
        return run("nsenter", "--net=" + self.path(short), *command, **options)

    def spawn(self, short, command, cgroup=None, log=None, env=None, uid=None, gid=None):
        """Start a program in a namespace; returns its pid, to be ended by end() or close()."""
        out = open(log, "ab") if log else subprocess.DEVNULL

        def before():
            end_with_parent()
            setns(self.path(short))
            if cgroup:
                join(cgroup)
            if gid is not None:
                os.setgroups([])
                os.setgid(gid)
            if uid is not None:
                os.setuid(uid)
                end_with_parent()               # a change of user has cleared it

        child = subprocess.Popen([str(word) for word in command], preexec_fn=before,
                                 stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                 env=dict(os.environ, **(env or {})))
        child.returncode = 0                    # end() waits for it, not the Popen object
        self.children.append(child.pid)
        return child.pid

    def told(self, short, work, *arguments):
        """What work(*arguments) returns, run in a child in a namespace; through JSON."""
        read, write = os.pipe()
        pid = self.fork(short, lambda: os.write(write, json.dumps(work(*arguments)).encode()))
        os.close(write)
        with os.fdopen(read) as pipe:
            text = pipe.read()
        self.reap(pid)
        if not text:
            raise AssertionError("a child ended without an answer")
        return json.loads(text)

    def fork(self, short, function, *arguments):
        """Run function(*arguments) in a child in a namespace; returns its pid."""
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid:
            self.children.append(pid)
            return pid
        code = 1
        try:
            for sig in (signal.SIGTERM, signal.SIGINT):
                signal.signal(sig, signal.SIG_DFL)
            end_with_parent()
            setns(self.path(short))
            function(*arguments)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def cgroup(self, path, make=True):
        """Absolute path of a cgroup below this place's root ("/tenants.slice/beta.slice")."""
        full = self.cgroup_root + path
        if make:
            os.makedirs(full, exist_ok=True)
        return full


def join(cgroup):
    with open(os.path.join(cgroup, "cgroup.procs"), "w") as procs:
        procs.write("0")
