# SPDX-License-Identifier: GPL-2.0-or-later
"""A Debian root file system in namespaces of its own, no virtual machine: with systemd as PID 1 and no network,
or with one command and the host's network.

The root is the lower layer of an overlay, what is changed is kept over reboots until close(). PID 1 gets device
nodes of its own and /sys and /proc/sys read-only (but for the network's settings, which belong to its namespace):
it would change the host's else. Only processes that were started here are ended, by their number.
"""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
SHUTDOWN = signal.SIGRTMIN + 4                  # systemd(1): start poweroff.target

BOOT = r"""
set -e
name=$1 root=$2 work=$3 shared=$4; shift 4
run=/run/$name; mkdir -p $run; mount -t tmpfs tmpfs $run; mkdir $run/root
mount -t overlay overlay -o lowerdir=$root,upperdir=$work/up,workdir=$work/work $run/root
top=$run/root
mount -t proc proc $top/proc
mount -t sysfs sysfs $top/sys
mount -t cgroup2 cgroup2 $top/sys/fs/cgroup
mount -o remount,bind,ro $top/sys
mount --bind $top/proc/sys $top/proc/sys; mount --bind $top/proc/sys/net $top/proc/sys/net
mount -o remount,bind,ro $top/proc/sys
mount -t tmpfs -o mode=755 tmpfs $top/dev; mkdir $top/dev/pts $top/dev/shm
node() { mknod -m $2 $top/dev/$1 c $3 $4; }
node null 666 1 3; node zero 666 1 5; node full 666 1 7; node random 666 1 8; node urandom 666 1 9
node tty 666 5 0; node console 600 1 3; mkdir $top/dev/net; node net/tun 666 10 200
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts $top/dev/pts; ln -s pts/ptmx $top/dev/ptmx
ln -s /proc/self/fd $top/dev/fd; ln -s fd/0 $top/dev/stdin; ln -s fd/1 $top/dev/stdout; ln -s fd/2 $top/dev/stderr
mount -t tmpfs tmpfs $top/dev/shm; mount -t tmpfs -o mode=755 tmpfs $top/run; mount -t tmpfs tmpfs $top/tmp
mkdir -p $top/io; mount --bind $shared $top/io
hostname host
cd $top; mkdir -p .old; pivot_root . .old; umount -l /.old; rmdir /.old
exec env -i container=outbind-test PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@" </dev/null >/io/console.log 2>&1
"""
SYSTEMD = ["/sbin/init", "systemd.mask=console-getty.service"]


def cgroup_root():
    for path in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup"):
        if os.path.exists(path + "/cgroup.procs"):
            return path
    raise RuntimeError("no cgroup2 file system on this host")


class Result:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def __repr__(self):
        return "exit %d: %s%s" % (self.status, self.out[-2000:], self.err[-2000:])


class Container:
    count = 0

    def __init__(self, root, where):
        Container.count += 1
        self.root, self.name = root, "ob-%d-vm%d" % (os.getpid(), Container.count)
        self.work = tempfile.mkdtemp(prefix=self.name + "-", dir=where)
        for name in ("up", "work", "io"):
            os.mkdir(os.path.join(self.work, name))
        self.io = os.path.join(self.work, "io")
        for name in os.listdir(HERE + "/inside"):
            shutil.copy2(os.path.join(HERE, "inside", name), self.io)
        self.cgroup = os.path.join(cgroup_root(), self.name)
        self.process = self.init = None

    def write(self, path, text, mode=0o644):
        """A file of the container's own file system; only while it is not running."""
        full = self.work + "/up" + path
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w") as out:
            out.write(text)
        os.chmod(full, mode)

    def _start(self, command, namespaces):
        os.makedirs(self.cgroup + "/payload", exist_ok=True)

        def enter():
            with open(self.cgroup + "/payload/cgroup.procs", "w") as procs:
                procs.write("0")
            os.setsid()
        self.process = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--mount", "--uts", "--ipc", "--cgroup", *namespaces, "--propagation",
             "private", "--kill-child=KILL", "--", "/bin/bash", "-c", BOOT, "-", self.name, self.root, self.work,
             self.io, *command], preexec_fn=enter, stdin=subprocess.DEVNULL)

    def boot(self, seconds=60):
        """Start and wait until all jobs are done; returns the state, as a rule "running"."""
        self._start(SYSTEMD, ["--net"])
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise AssertionError("the container ended: exit %d" % self.process.returncode)
            if self._find_init():
                state = self._enter(["systemctl", "is-system-running", "--wait"], timeout=seconds)
                if state.out.strip() in ("running", "degraded"):
                    return state.out.strip()
            time.sleep(0.03)
        raise AssertionError("not booted after %d s" % seconds)

    def run(self, script, seconds):
        """Run a script as PID 1, with the host's network, to its end. Its status, and all that it printed."""
        self._start(["/bin/bash", "-c", script], [])
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("not done in %d s: %s" % (seconds, self.console()[-1000:])) from None
        self._forget()
        return status, self.console()

    def console(self):
        with open(self.io + "/console.log", errors="replace") as log:
            return log.read()

    def _find_init(self):
        try:
            with open("/proc/%d/task/%d/children" % (self.process.pid, self.process.pid)) as children:
                pid = int(children.read().split()[0])
            with open("/proc/%d/comm" % pid) as comm:
                self.init = pid if comm.read() == "systemd\n" else None
        except (OSError, IndexError):
            self.init = None
        return self.init

    def _enter(self, command, text=None, timeout=60):
        result = subprocess.run(["nsenter", "-t", str(self.init), "-a"] + command, input=text, capture_output=True,
                                text=True, timeout=timeout)
        return Result(result.returncode, result.stdout, result.stderr)

    def sh(self, script, ok=True, timeout=60, unit=None, properties=()):
        """Run a shell script as a unit of its own in the container; with ok, fail if it fails."""
        words = ["systemd-run", "--quiet", "--pipe", "--wait", "--collect"]
        words += ["--unit=" + unit] if unit else []
        words += ["--property=" + one for one in properties]
        result = self._enter(words + ["/bin/bash", "-c", script], timeout=timeout)
        if ok and result.status:
            raise AssertionError("%s: %r" % (script, result))
        return result

    def out(self, script, **options):
        return self.sh(script, **options).out.strip()

    def json(self, words, **options):
        return json.loads(self.out("outbindctl %s --json" % words, **options))

    def stop(self, seconds=30):
        """A clean shutdown."""
        os.kill(self.init, SHUTDOWN)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("no shutdown in %d s" % seconds) from None
        self._forget()

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()                 # --kill-child: and with it PID 1, and so all of them
            self.process.wait()
        self._forget()

    def _forget(self):
        self.process = self.init = None
        for folder, _, _ in os.walk(self.cgroup, topdown=False):
            for _ in range(100):
                try:
                    os.rmdir(folder)
                    break
                except FileNotFoundError:
                    break
                except OSError:
                    time.sleep(0.02)
        if os.path.isdir("/run/" + self.name):
            os.rmdir("/run/" + self.name)

    def close(self):
        self.kill()
        shutil.rmtree(self.work, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
