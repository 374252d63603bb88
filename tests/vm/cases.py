# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases by @case("what holds"), and the machine that they run on: a container with the package installed."""

import collections
import glob
import os
import shutil

import place
from container import Container
from place import check

CASES = []
FAR4, FAR6 = "198.51.100.25", "2001:db8:f::25"
ACME4, ACME6, BETA4, HOST4, HOST6 = "192.0.2.11", "2001:db8::11", "192.0.2.12", "192.0.2.1", "2001:db8::1"
BINDINGS = """bypass { connected; private; }
binding acme { address %s, %s; interface eth0; }
binding beta { address %s; interface eth0; }
""" % (ACME4, ACME6, BETA4)
LAB = """[Unit]
DefaultDependencies=no
After=network-pre.target systemd-tmpfiles-setup.service
Before=network.target
Wants=network.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/io/lab-up
[Install]
WantedBy=multi-user.target
"""


def case(what, seconds=120):
    def keep(function):
        CASES.append((what, function, seconds))
        return function
    return keep


def wait_for(what, condition, seconds=10):
    """As in namespaces, but each look is a command in the container."""
    return place.wait_for(what, condition, seconds, 0.05)


class Machine(Container):
    """A container in which lab-up was run; with `layers`, on top of one that was prepared."""

    def __init__(self, site, layers=()):
        super().__init__(":".join(list(layers) + [site.root]), site.where)
        for deb in site.debs:
            shutil.copy(deb, self.io)
        self.write("/etc/systemd/system/lab.service", LAB)
        self.write("/etc/hosts", "127.0.0.1 localhost host\n%s ip.example\n" % FAR4)
        link = self.work + "/up/etc/systemd/system/multi-user.target.wants/lab.service"
        os.makedirs(os.path.dirname(link), exist_ok=True)
        os.symlink("/etc/systemd/system/lab.service", link)

    def install(self, *names):
        debs = " ".join("/io/%s_[0-9]*.deb" % name for name in names)
        return self.sh("DEBIAN_FRONTEND=noninteractive apt-get install -y %s" % debs, timeout=120).out

    def configure(self, policy, bindings=BINDINGS):
        """Write the configuration, reload, wait until every binding can be used."""
        self.sh("cat >/etc/outbind/outbind.conf <<'X'\n%s%s\ninclude \"conf.d/*.conf\";\nX\nsystemctl reload outbindd" % (bindings, policy))
        wait_for("bindings to be usable", lambda: "unusable" not in self.out("outbindctl binding list"))

    def seen(self, tag=None):
        """Counter of the sources that were seen with a tag, or of (tag, source)."""
        rows = [line.split() for line in self.out("cat /run/world.log 2>/dev/null || true").splitlines()]
        return collections.Counter(row[1] if tag else (row[0], row[1]) for row in rows if tag in (None, row[0]))

    def source(self, script="curl -s http://ip.example/", unit=None, settle=True, properties=()):
        """What the world sees of a unit that asks it."""
        pre = ("ExecStartPre=+/usr/bin/outbindctl settle",) if settle else ()
        return self.out(script, unit=unit, properties=pre + tuple(properties), ok=False)

    def clear(self):
        self.sh("truncate -s 0 /run/world.log")


class Site:
    """What the cases share: the root, the packages, and a layer with the package installed."""

    def __init__(self, root, debs, newer, where, options):
        self.root, self.debs, self.newer, self.where, self.options = root, debs, newer, where, options
        self.layer = None

    def fresh(self):
        return Machine(self)

    def machine(self, boot=True):
        if not self.layer:
            with Machine(self) as first:
                first.boot()
                first.install("outbind")
                first.sh("rm -rf /var/lib/outbind/*; journalctl --rotate", ok=False)
                first.stop()
                self.layer = os.path.join(self.where, "installed")
                shutil.rmtree(self.layer, ignore_errors=True)
                shutil.copytree(first.work + "/up", self.layer, symlinks=True)
                for path in glob.glob(self.layer + "/etc/machine-id"):
                    os.unlink(path)
                chown_like(first.work + "/up", self.layer)
        machine = Machine(self, [self.layer])
        if boot:
            try:
                check("state after boot", machine.boot(), "running")
            except BaseException:
                machine.close()
                raise
        return machine


def chown_like(source, copy):
    """copytree() keeps modes and not owners."""
    for folder, folders, files in os.walk(source):
        there = copy + folder[len(source):]
        for name in folders + files + ["."]:
            path = os.path.join(there, name)
            if os.path.lexists(path):
                status = os.lstat(os.path.join(folder, name))
                os.chown(path, status.st_uid, status.st_gid, follow_symlinks=False)
