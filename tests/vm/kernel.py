# SPDX-License-Identifier: GPL-2.0-or-later
"""The main job's tests on Debian's own kernel, in an emulator (qemu TCG, so it needs no /dev/kvm).

That kernel has no persistent tables: the watcher must heal what others do. The guest is the root of the container
tests with the kernel's modules, read-only below an overlay; programs and tests come as a tar on one disk, what
tests/run prints goes out by a console. An emulated processor is ten to twenty times slower: what is chosen is the
main job, and what has not run when the time is over is skipped, and named.
"""

import glob
import os
import re
import shutil
import subprocess
import tarfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
SECONDS = 600
CHOSEN = ["agent: foreign", "default:", "hidden:", "openings:", "refusal:", "selectors:", "suspend:"]
MODULES_FIRST = "virtio_pci virtio_blk virtio_console overlay".split()
KERNEL = "linux-image-cloud-amd64"

INITRD = """#!/bin/sh
/bin/busybox --install -s /bin
mount -t devtmpfs devtmpfs /dev; mount -t proc proc /proc
for module in $(cat /m/order); do insmod /m/$module; done
i=0; while [ ! -b /dev/vda ] && [ $i -lt 100 ]; do sleep 0.1; i=$((i+1)); done
mount -t ext4 -o ro,noatime /dev/vda /lower
mount -t tmpfs -o size=80% tmpfs /rw; mkdir /rw/u /rw/w
mount -t overlay overlay -o lowerdir=/lower,upperdir=/rw/u,workdir=/rw/w /new
mount --move /dev /new/dev; mkdir -p /new/io
tar xf /new/dev/vdb -C /new/io
umount /proc
exec switch_root /new /io/guest
"""
GUEST = """#!/bin/bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp PYTHONDONTWRITEBYTECODE=1
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs tmpfs /run; mount -t tmpfs tmpfs /tmp; mkdir -p /dev/pts /dev/shm; mount -t devpts devpts /dev/pts
ln -sf /proc/self/fd /dev/fd; ip link set lo up; mkdir -p /run/netns
exec >/dev/hvc0 2>&1 </dev/null
echo "kernel $(uname -r)"
cd /io
# The first agent has every module loaded, each by a process of its own.
mkdir -p /run/first /run/state; echo 'binding a { address 10.0.0.1; }' >/run/first.conf
build/outbindd --config /run/first.conf --runtime-dir /run/first --state-dir /run/state --on-stop remove &
for i in $(seq 900); do [ -S /run/first/tag ] && break; sleep 0.1; done
kill $!; wait
export OUTBIND_PATIENCE=5
read up rest </proc/uptime; echo "ready after $up s"
tests/run --build /io/build --jobs 1 --timeout 240 "$@" %s
echo "done $?"
sync
echo b >/proc/sysrq-trigger
"""


class Unable(Exception):
    """The part cannot run here; the text says why."""


def command(*words, where=None, timeout=300):
    result = subprocess.run(words, cwd=where, capture_output=True, text=True, timeout=timeout)
    if result.returncode:
        raise Unable("%s: %s" % (words[0], (result.stderr.strip().splitlines() or ["failed"])[-1]))
    return result.stdout


def fetch(where):
    """(version, directory) of the unpacked kernel package."""
    found = re.search(r"Depends: (linux-image-(\S+))", command("apt-cache", "depends", KERNEL))
    if not found:
        raise Unable("apt knows no " + KERNEL)
    package, version = found[1], found[2]
    tree = os.path.join(where, "kernel-" + version)
    if not os.path.isdir(tree):
        command("apt-get", "download", package, where=where)
        deb = glob.glob(os.path.join(where, package + "_*.deb"))[0]
        command("dpkg-deb", "-x", deb, tree + ".half")
        os.unlink(deb)
        command("depmod", "-b", tree + ".half", version)
        os.rename(tree + ".half", tree)
    return version, tree


def unpacked(path, out):
    with open(out, "wb") as file:
        program = {".xz": "xz", ".zst": "zstd"}.get(os.path.splitext(path)[1])
        if program:
            subprocess.run([program, "-qdc", path], stdout=file, check=True)
        else:
            with open(path, "rb") as plain:
                shutil.copyfileobj(plain, file)


def make_initrd(version, tree, out):
    work = out + ".d"
    shutil.rmtree(work, ignore_errors=True)
    for name in "bin dev proc m lower rw new".split():
        os.makedirs(os.path.join(work, name))
    shutil.copy2("/bin/busybox", work + "/bin/busybox")
    os.symlink("busybox", work + "/bin/sh")
    order = []
    for module in MODULES_FIRST:
        for text in command("modprobe", "-d", tree, "-S", version, "--show-depends", module).splitlines():
            if not text.startswith("insmod "):
                continue                        # built in
            path = text.split()[1]
            name = re.sub(r"\.(xz|zst)$", "", os.path.basename(path))
            if name not in order:
                unpacked(path, os.path.join(work, "m", name))
                order.append(name)
    with open(work + "/m/order", "w") as file:
        file.write("\n".join(order) + "\n")
    with open(work + "/init", "w") as file:
        file.write(INITRD)
    os.chmod(work + "/init", 0o755)
    command("sh", "-c", "cd %s && find . | cpio -o -H newc --quiet | gzip -1 >%s" % (work, out))
    shutil.rmtree(work)


def make_image(root, version, tree, out):
    """An ext4 file system of the root with the kernel's modules, by an overlay of both."""
    work = out + ".d"
    os.makedirs(work + "/up/usr/lib/modules")
    os.makedirs(work + "/work")
    os.makedirs(work + "/top")
    os.makedirs(work + "/up/io")
    shutil.copytree(os.path.join(tree, "lib/modules", version), work + "/up/usr/lib/modules/" + version,
                    ignore=shutil.ignore_patterns("build", "source"))
    try:
        command("unshare", "--mount", "sh", "-c",
                "mount -t overlay overlay -o lowerdir=%s,upperdir=%s/up,workdir=%s/work %s/top && "
                "mkfs.ext4 -q -F -O ^has_journal -m0 -d %s/top %s.half 1200M" % (root, work, work, work, work, out))
    finally:
        shutil.rmtree(work)
    os.rename(out + ".half", out)


def make_input(out, words):
    """Programs and tests, as the tar that is the guest's second disk."""
    with tarfile.open(out, "w") as tar:
        for name in ("tests/run", "tests/netns", "lib/examples", "nft-templates", "docs/outbind.conf"):
            tar.add(os.path.join(TOP, name), name)
        for name in ("outbindd", "outbind-exporter", "outbindctl", "outbind-relay", "liboutbind.so", "liboutbind.so.0"):
            tar.add(os.path.join(TOP, "build", name), "build/" + name)
        guest = out + ".guest"
        with open(guest, "w") as file:
            file.write(GUEST % " ".join("'%s'" % word for word in words))
        os.chmod(guest, 0o755)
        tar.add(guest, "guest")
        os.unlink(guest)


def boot(where, version, tree, words, on_line, seconds):
    """Run the guest and hand over each line that it prints. False if it did not come to its end."""
    initrd, image = (os.path.join(where, "%s-%s" % (name, version)) for name in ("initrd", "image"))
    disk, console = os.path.join(where, "input.tar"), os.path.join(where, "console.txt")
    make_input(disk, words)
    vm = subprocess.Popen(
        ["nice", "-n", "5", "qemu-system-x86_64", "-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2",
         "-m", "1500", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
         "-kernel", "%s/boot/vmlinuz-%s" % (tree, version), "-initrd", initrd,
         "-drive", "id=d0,file=%s,format=raw,if=none,readonly=on" % image, "-device", "virtio-blk-pci,drive=d0",
         "-drive", "id=d1,file=%s,format=raw,if=none,readonly=on" % disk, "-device", "virtio-blk-pci,drive=d1",
         "-device", "virtio-serial-pci", "-chardev", "stdio,id=o", "-device", "virtconsole,chardev=o",
         "-serial", "file:" + console,
         "-append", "console=ttyS0 quiet loglevel=4 panic=-1 mitigations=off random.trust_cpu=1"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    end, text, done = time.monotonic() + seconds, b"", False
    os.set_blocking(vm.stdout.fileno(), False)
    try:
        while time.monotonic() < end:
            piece = vm.stdout.read()
            if piece:
                *lines, text = (text + piece).split(b"\n")
                for line in lines:
                    line = line.decode(errors="replace").rstrip("\r")
                    done = done or line.startswith("done ")
                    on_line(line)
            elif vm.poll() is not None or done:
                break
            else:
                time.sleep(0.1)
    finally:
        if vm.poll() is None:
            vm.kill()
        vm.wait()
    return done


def names_of(words):
    listed = subprocess.run([os.path.join(TOP, "tests/run"), "--list"] + words, capture_output=True, text=True).stdout
    return [text.split(None, 1)[1] for text in listed.splitlines() if text.startswith("netns")]


def run(root, where, options, line):
    """Part b of check-vm: one call of @line for each test."""
    began = time.monotonic()
    try:
        if not root:
            raise Unable("no root file system")
        if not shutil.which("qemu-system-x86_64"):
            raise Unable("no qemu-system-x86_64")
        version, tree = fetch(where)
        initrd = os.path.join(where, "initrd-" + version)
        image = os.path.join(where, "image-%s" % version)
        stamp = image + ".of"
        if not os.path.exists(stamp) or open(stamp).read() != root:
            make_initrd(version, tree, initrd)
            make_image(root, version, tree, image)
            with open(stamp, "w") as file:
                file.write(root)
    except (Unable, OSError, subprocess.SubprocessError) as why:
        line("skip", "kernel: the main job's tests on Debian's kernel", 0, str(why))
        return
    waiting, failing = names_of(CHOSEN), []

    def finish():
        if failing:
            line("FAIL", failing[0], 0, "\n".join(failing[1:]))
            failing.clear()

    def on_line(text):
        match = (re.match(r"(pass|FAIL)  (.*?)(?: \(([0-9.]+) s\))?()$", text) or
                 re.match(r"(skip)  (.*?)(?: \(([0-9.]+) s\))?: ([^:]*)$", text))
        if not match:
            if failing and text.startswith("      "):
                failing.append(text)
            return
        finish()
        name = match[2]
        if name in waiting:
            waiting.remove(name)
        what = "kernel %s: %s" % (version, name)
        if match[1] == "FAIL":
            failing.append(what)
        else:
            line(match[1], what, float(match[3] or 0), match[4] or "")

    done = boot(where, version, tree, CHOSEN, on_line, SECONDS)
    finish()
    for name in waiting:
        line("skip" if not done or time.monotonic() - began > SECONDS else "FAIL", "kernel %s: %s" % (version, name), 0,
             "not done within %d s" % SECONDS)
