# SPDX-License-Identifier: GPL-2.0-or-later
"""Containers of systemd-nspawn as clients: those that share the host's network, and those that have their own."""

from cases import ACME4, ACME6, BETA4, HOST4, case, check, wait_for

# Each is the machine's own root again, of which nothing is written.
TREE = "mkdir -p /var/lib/machines/%s && mount --bind / /var/lib/machines/%s"
ASK = "curl -s http://ip.example/"


def tree(machine, name):
    machine.sh(TREE % (name, name), properties=("PrivateMounts=no",))


@case("containers: nspawn started by hand, on the host's network: by its slice at once, by its scope after `settle`")
def _(site):
    with site.machine() as machine:
        machine.configure("policy { unit machine-acme.scope use acme; unit customers-beta.slice use beta; }")
        tree(machine, "acme")
        nspawn = "systemd-nspawn -q -D /var/lib/machines/acme --volatile=overlay --machine=%s --slice=%s %s"
        machine.sh("systemctl start customers-beta.slice; outbindctl settle")
        check("by its slice", machine.out(nspawn % ("other", "customers-beta.slice", ASK)), BETA4)
        check("one without a rule", machine.out(nspawn % ("plain", "machine.slice", ASK)), HOST4)
        machine.sh("systemd-run -q --unit=by-hand " + nspawn % ("acme", "machine.slice", "sleep 100"))
        wait_for("the scope", lambda: machine.out("systemctl is-active machine-acme.scope", ok=False) == "active")
        inside = "set -e; echo 0 >/sys/fs/cgroup/machine.slice/machine-acme.scope%s/cgroup.procs; outbindctl settle; " + ASK
        leaf = machine.out("cd /sys/fs/cgroup/machine.slice/machine-acme.scope; [ -d payload ] && echo /payload || true")
        check("by its scope", machine.out(inside % leaf), ACME4)


@case("containers: systemd-nspawn@.service on the host's network, as the manual says: always its binding")
def _(site):
    with site.machine() as machine:
        machine.configure("policy { unit systemd-nspawn@acme.service use acme; }")
        tree(machine, "acme")
        machine.sh("""mkdir -p /etc/systemd/nspawn /etc/systemd/system/systemd-nspawn@acme.service.d
cat >/etc/systemd/nspawn/acme.nspawn <<'X'
[Exec]
Boot=no
PrivateUsers=no
Parameters=/bin/bash -c "for i in 1 2 3 4 5; do echo acme >/dev/udp/198.51.100.25/7000; done; sleep 100"
[Network]
VirtualEthernet=no
[Files]
Volatile=overlay
X
cd /etc/systemd/system/systemd-nspawn@acme.service.d
printf '[Service]\\nExecStartPre=+/usr/bin/outbindctl settle\\n' >outbind.conf
systemctl daemon-reload""")
        for i in range(5):
            machine.sh("systemctl restart systemd-nspawn@acme")
        wait_for("all to be seen", lambda: sum(machine.seen("acme").values()) >= 20)
        check("wrong sources", [row for row in machine.seen() if row[1] not in (ACME4, ACME6)], [])


@case("containers: nspawn with a network of its own, by its source address")
def _(site):
    with site.machine() as machine:
        machine.configure("policy { source 10.88.7.2/32 use acme; source 10.88.7.0/24 use beta; }")
        tree(machine, "acme")
        machine.sh("sysctl -qw net.ipv4.ip_forward=1")
        setup = "ip addr add 10.88.7.%d/24 dev host0; ip link set host0 up; ip route add default via 10.88.7.1"
        for name, last, source in (("one", 2, ACME4), ("two", 3, BETA4)):
            script = setup % last + "; for i in $(seq 50); do %s && break; sleep 0.1; done" % ASK
            machine.sh("systemd-run -q --unit=%s -p StandardOutput=file:/run/%s systemd-nspawn -q -D /var/lib/machines/acme "
                       "--volatile=overlay --network-veth --link-journal=no --machine=%s sh -c '%s'" % (name, name, name, script))
            wait_for("its link", lambda: machine.sh("ip link show ve-%s" % name, ok=False).status == 0)
            machine.sh("ip addr add 10.88.7.1/24 dev ve-%s; ip link set ve-%s up" % (name, name))
            wait_for("its answer", lambda: machine.out("cat /run/" + name) or None)
            check(name, machine.out("cat /run/" + name), source)
            wait_for("its end", lambda: machine.sh("ip link show ve-%s" % name, ok=False).status != 0)
