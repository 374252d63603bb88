# SPDX-License-Identifier: GPL-2.0-or-later
"""Units as clients, and the agent's own life, under systemd."""

import re

from cases import ACME4, ACME6, BETA4, BINDINGS, FAR4, HOST4, case, check, wait_for
from place import Skip

SETTLE = "ExecStartPre=+/usr/bin/outbindctl settle"
AT_ONCE = "for i in 1 2 3 4 5; do echo %s >/dev/udp/198.51.100.25/7000; done"
OWN = (ACME4, ACME6)


def only(machine, what, tag, allowed, least=1):
    seen = machine.seen(tag)
    check("%s: wrong sources" % what, {source: n for source, n in seen.items() if source not in allowed}, {})
    check("%s: %d seen" % (what, sum(seen.values())), sum(seen.values()) >= least, True)


def unit_file(machine, name, text):
    machine.sh("cat >/etc/systemd/system/%s <<'X'\n%s\nX\nsystemctl daemon-reload" % (name, text))


@case("units: start, stop, restart, failed, and a unit of the same name again: always its binding")
def _(site):
    with site.machine() as machine:
        machine.configure("policy { unit acme.service use acme; }")
        unit_file(machine, "acme.service", "[Service]\n%s\nExecStart=/bin/bash -c '%s; sleep 60'\n"
                  "[Unit]\nStartLimitIntervalSec=0" % (SETTLE, AT_ONCE % "acme"))
        for i in range(10):
            machine.sh("systemctl restart acme")
        machine.sh("systemctl stop acme; systemctl start acme; systemctl kill -s KILL acme; sleep 0.2; "
                   "systemctl is-failed acme; systemctl reset-failed acme; systemctl start acme")
        wait_for("all to be seen", lambda: sum(machine.seen("acme").values()) >= 60)
        only(machine, "acme", "acme", OWN, 60)
        machine.sh("systemctl stop acme; echo host >/dev/udp/198.51.100.25/7000")
        only(machine, "others", "host", (HOST4,))


@case("units: instances of a template each from its own binding, with the drop-in of the examples")
def _(site):
    with site.machine() as machine:
        machine.configure('policy { unit "postfix@acme.service" use acme; unit "postfix@beta.service" use beta; }')
        unit_file(machine, "postfix@.service", "[Service]\nExecStart=/bin/bash -c '%s'\n" % (AT_ONCE % "%i"))
        machine.sh("cp -r /usr/share/doc/outbind/examples/postfix@.service.d /etc/systemd/system/; systemctl daemon-reload")
        for i in range(10):
            machine.sh("systemctl restart postfix@acme postfix@beta")
        wait_for("all to be seen", lambda: sum(machine.seen().values()) >= 100)
        only(machine, "acme", "acme", OWN, 50)
        only(machine, "beta", "beta", (BETA4,), 50)


@case("units: scopes and services of systemd-run in a slice with a rule, without `settle`, while the slice lives")
def _(site):
    with site.machine() as machine:
        machine.configure('policy { unit "customers-acme.slice" use acme; }')
        machine.sh("systemctl start customers-acme.slice; outbindctl settle")
        for i in range(10):
            machine.sh("systemd-run -q --scope --slice=customers-acme.slice bash -c '%s'" % (AT_ONCE % "scope"))
            machine.sh("systemd-run -q --wait --slice=customers-acme.slice bash -c '%s'" % (AT_ONCE % "service"))
        wait_for("all to be seen", lambda: sum(machine.seen().values()) >= 100)
        only(machine, "scopes", "scope", OWN, 50)
        only(machine, "services", "service", OWN, 50)
        check("the slice lives", machine.out("systemctl is-active customers-acme.slice"), "active")


@case("units: 50 new cgroups that send at once: with `settle` none leaves wrong; with `otherwise reject` none without it")
def _(site):
    with site.machine() as machine:
        machine.configure("policy { unit acme.service use acme; }")
        run = "systemd-run -q --wait --collect --unit=acme %s bash -c '%s' || true"
        machine.sh("for n in $(seq 50); do %s; done" % (run % ("-p '%s'" % SETTLE, AT_ONCE % "settled")), timeout=100)
        only(machine, "with settle", "settled", OWN, 250)
        machine.configure("policy { unit acme.service use acme; otherwise reject; }")
        machine.sh("for n in $(seq 50); do %s; done" % (run % ("", AT_ONCE % "rejected")), timeout=100)
        only(machine, "with otherwise reject", "rejected", OWN, 0)


@case("units: users' units, by the cgroup of their manager", seconds=60)
def _(site):
    with site.machine() as machine:
        machine.configure('policy { cgroup "/user.slice/user-1000.slice" use acme; }')
        machine.sh("useradd -u 1000 bob 2>/dev/null || true; systemctl start user@1000.service; outbindctl settle")
        machine.sh("systemd-run -q --uid=1000 --wait -E XDG_RUNTIME_DIR=/run/user/1000 "
                   "systemd-run --user -q --wait bash -c '%s'" % (AT_ONCE % "bob"))
        wait_for("all to be seen", lambda: sum(machine.seen("bob").values()) >= 5)
        only(machine, "bob", "bob", OWN, 5)


@case("exec --unit-name: a scope in the binding's slice; the command starts with its rule in the kernel")
def _(site):
    with site.machine() as machine:
        machine.configure("")
        for i in range(10):
            check("source", machine.out("outbindctl exec --unit-name job acme -- curl -s http://ip.example/"), ACME4)
        cgroup = machine.out("outbindctl exec --unit-name job acme -- grep ^0:: /proc/self/cgroup")
        check("cgroup", cgroup, "0::/outbind.slice/outbind-exec.slice/outbind-exec-acme.slice/job.scope")
        check("status", machine.sh("outbindctl exec --unit-name job acme -- sh -c 'exit 7'", ok=False).status, 7)
        check("no unit is left", machine.out("systemctl list-units --all --plain --no-legend job.scope"), "")
        machine.sh("systemd-run -q --unit=runner outbindctl exec --unit-name job acme -- sleep 60")
        wait_for("the scope", lambda: machine.out("systemctl is-active job.scope", ok=False) == "active")
        second = machine.sh("outbindctl exec --unit-name job beta -- echo ran", ok=False)
        check("a second one: %r" % second, (second.status, second.out), (5, ""))
        machine.sh("systemctl restart outbindd")
        check("after a restart of the agent", machine.out("outbindctl flows >/dev/null 2>&1; "
              "outbindctl explain --pid $(pgrep -x sleep) --to 198.51.100.25 --port 25 --json | grep -o '\"binding\": *\"[a-z]*\"'"
              ).split('"')[3], "acme")
        machine.sh("systemctl stop job.scope")
        wait_for("the runner to end", lambda: machine.out("systemctl is-active runner", ok=False) != "active")
        check("a name that is none", machine.sh("outbindctl exec --unit-name 'a b' acme -- true", ok=False).status, 2)


@case("agent: restarted again and again while a unit sends: nothing leaves wrong, nothing of the policy is lost",
      seconds=300)
def _(site):
    with site.machine() as machine:
        machine.configure("policy { unit acme.service use acme; }")
        machine.sh("systemd-run -q --unit=acme -p '%s' python3 /io/send.py acme" % SETTLE)
        wait_for("traffic", lambda: sum(machine.seen("acme").values()) > 20)
        machine.sh("for n in $(seq %d); do systemctl restart outbindd || exit 1; done" % site.options.restarts, timeout=280)
        machine.sh("for n in 1 2 3 4 5; do systemctl kill -s KILL outbindd; sleep 0.6; done; systemctl is-active outbindd")
        only(machine, "%d restarts" % site.options.restarts, "acme", OWN, 10 * site.options.restarts)
        check("restarts of systemd", int(machine.out("systemctl show -P NRestarts outbindd")) >= 5, True)
        adopted = machine.out("journalctl -u outbindd --no-pager | grep -c table.adopted")
        check("tables adopted", int(adopted) >= site.options.restarts, True)


@case("agent: the sandbox is on: not root, two capabilities, no more, and as tight as the unit says")
def _(site):
    with site.machine() as machine:
        machine.configure("policy { unit acme.service use acme; }")
        pid = machine.out("systemctl show -P MainPID outbindd")
        status = dict(re.findall(r"^(\w+):\s+(.*)$", machine.out("cat /proc/%s/status" % pid), re.M))
        check("capabilities", (status["CapEff"], status["CapBnd"]), ("0000000000003000", "0000000000003000"))
        check("root", "0" in status["Uid"].split(), False)
        check("NoNewPrivs, Seccomp", (status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))
        for path in ("/etc/outbind/x", "/sys/fs/cgroup/x", "/usr/x", "/run/x", "/srv/x"):
            there = machine.sh("nsenter -t %s -m setpriv --reuid outbindd --clear-groups mkdir %s" % (pid, path), ok=False)
            check("may make " + path, there.status != 0, True)
        there = machine.sh("nsenter -t %s -m setpriv --reuid outbindd --clear-groups cat /proc/1/status" % pid, ok=False)
        check("may see process 1", there.status == 0, False)
        check("gates", [gate["ready"] for gate in machine.json("status")["gates"]], [True, True])
        check("gates that ended", machine.out("journalctl -u outbindd --no-pager | grep -c gate.ended || true"), "0")
        check("denied system calls", machine.out("journalctl --no-pager | grep -c 'status=31/SY[S]' || true"), "0")


@case("agent: every function works in the sandbox: addresses, probes, tags, uplinks, explain, change, remove, kill")
def _(site):
    with site.machine() as machine:
        machine.sh("ip link add up0 type veth peer name up0 netns world && ip addr add 203.0.113.2/24 dev up0 && "
                   "ip link set up0 up && ip -n world addr add 203.0.113.1/24 dev up0 && ip -n world link set up0 up")
        machine.configure("policy { unit acme.service use acme; unit delta.service use delta; }", """bypass { connected; private; }
binding acme { address %s, %s; interface eth0; probe tcp 198.51.100.25:7000 every 1s;
	allow cgroup "/system.slice/tag.service"; allow user 4242; }
binding beta { address %s; interface eth0; probe icmp 198.51.100.25 every 1s; }
uplink other { interface up0; gateway 203.0.113.1; }
binding delta { address 203.0.113.2; uplink other; }
""" % (ACME4, ACME6, BETA4))
        tag = ("import socket, sys\ns = socket.socket()\nwith socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as a:\n"
               "    a.connect('/run/outbind/tag')\n    socket.send_fds(a, [b'TAG 1 acme'], [s.fileno()])\n"
               "    reply = a.recv(999).decode()\nif not reply.startswith('OK'):\n    sys.exit(reply)\n"
               "s.connect(('198.51.100.25', 7000))\ns.sendall(b'tag\\n')\nprint(s.recv(99).decode().strip())\n")
        machine.sh("useradd -u 4242 tagger")
        machine.sh("cat >/run/tag.py <<'X'\n%s\nX" % tag)
        uid = ("User=nobody",)
        check("tag by cgroup", machine.source("python3 /run/tag.py", unit="tag", properties=uid), ACME4)
        check("by an uplink", machine.source(unit="delta"), "203.0.113.2")
        check("tag by user", machine.source("python3 /run/tag.py", properties=("User=tagger",)), ACME4)
        check("tag of nobody", machine.source("python3 /run/tag.py", properties=uid), "")
        machine.sh("systemd-run -q --unit=acme -p '%s' sleep 100" % SETTLE)
        explained = machine.json("explain --pid $(systemctl show -P MainPID acme) --to 198.51.100.25 --port 25")
        check("explain --pid", (explained["binding"], explained["source"], explained["agree"]), ("acme", ACME4, True))
        wait_for("probes that were answered", lambda: machine.out("outbindctl health --json").count("usable") > 1)
        machine.sh("sleep 2.5")
        check("unsent probes", machine.out("journalctl -u outbindd --no-pager | grep -c probe.unsent || true"), "0")
        machine.sh("outbindctl binding add gamma address 192.0.2.13 interface eth0 && "
                   "outbindctl policy add unit gamma.service use gamma")
        wait_for("gamma", lambda: machine.source(unit="gamma") == "192.0.2.13")
        machine.sh("outbindctl binding suspend gamma")
        check("suspended", machine.source("curl -s -m 3 http://ip.example/ || echo refused", unit="gamma"), "refused")
        machine.sh("outbindctl binding resume gamma; systemd-run -q --unit=gamma -p '%s' "
                   "nc -d 198.51.100.25 7000; sleep 0.3; outbindctl binding remove gamma --reassign beta --kill" % SETTLE)
        wait_for("gamma's address to go", lambda: "192.0.2.13" not in machine.out("ip addr show eth0"))
        machine.sh("outbindctl save && outbindctl status && outbindctl monitor --help >/dev/null")
        check("EPERM in the log", machine.out("journalctl -u outbindd --no-pager | grep -ci 'not permitted' || true"), "0")
        check("owned", machine.json("status")["owned"], True)


@case("agent: what shows and records works in the sandbox: figures, flows, flow log, capture, verify, capacity, doctor, report")
def _(site):
    with site.machine() as machine:
        machine.configure("policy { unit acme.service use acme; unit web.service use acme; }",
                          "flow-log /var/log/outbind/flows;\n" + BINDINGS)
        machine.sh("systemd-run -q --unit=acme -p '%s' python3 /io/send.py acme" % SETTLE)
        wait_for("traffic", lambda: sum(machine.seen("acme").values()) > 5)
        figures = "curl -s --unix-socket /run/outbind/metrics http://x/metrics | grep ^outbind_binding_connections_total"
        check("figures", 'binding="acme"' in machine.out(figures), True)
        check("flows", {flow["binding"] for flow in machine.json("flows")["flows"]} <= {"acme"}, True)
        machine.sh("sysctl -qw net.netfilter.nf_conntrack_tcp_timeout_time_wait=1")
        check("a connection that ends", machine.source(unit="web"), ACME4)
        wait_for("the flow log", lambda: machine.out("grep -c '\"verdict\"' /var/log/outbind/flows || true") not in ("", "0"))
        taken = machine.out("outbindctl capture acme --count 6 --seconds 20", timeout=40)
        check("captured: " + taken, ACME4 in taken, True)
        verified = machine.sh("outbindctl verify acme --to 198.51.100.25:7000", ok=False)
        check("verify: %r" % verified, (verified.status, ACME4 in verified.out), (0, True))
        check("capacity", "acme" in machine.out("outbindctl capacity"), True)
        check("top", "acme" in machine.out("outbindctl top --batch"), True)
        found = machine.sh("outbindctl doctor --json", ok=False)
        check("doctor: %r" % found, found.status in (0, 1) and "findings" in found.out, True)
        machine.sh("cd /run && outbindctl report -o /run/report.tar.gz && test -s /run/report.tar.gz")
        check("gates or exporter that ended", machine.out("journalctl -u outbindd --no-pager | "
              "grep -c 'gate.ended\\|metrics.failed\\|flow-log.fail' || true"), "0")
        check("denied system calls", machine.out("journalctl --no-pager | grep -c 'status=31/SY[S]' || true"), "0")


@case("outbind-dns: in its sandbox it asks, and the agent has what it found; its user reads, and changes nothing")
def _(site):
    with site.machine() as machine:
        machine.configure("policy { unit acme.service use acme; }")
        machine.sh("echo nameserver %s >/etc/resolv.conf; systemctl start outbind-dns.service" % FAR4)
        found = machine.json("check --dns --last", ok=False)["identities"]
        check("addresses", sorted(one["address"] for one in found), sorted((ACME4, ACME6, BETA4)))
        check("nobody answers", {one["fcrdns"]["state"] for one in found}, {"unknown"})
        check("result", machine.out("systemctl show -P Result outbind-dns"), "success")
        check("read", machine.sh("runuser -u outbind-dns -- outbindctl status").status, 0)
        denied = machine.sh("runuser -u outbind-dns -- outbindctl binding suspend acme", ok=False)
        check("change: %s" % denied.err, (denied.status, "needs root" in denied.err), (4, True))


@case("agent: killed, its table stays owned: nobody can flush or change it before the next one is there")
def _(site):
    with site.machine() as machine:
        if not machine.json("status")["features"]["persist"]:
            raise Skip("this kernel has no persistent tables")
        machine.sh("mkdir -p /run/systemd/system/outbindd.service.d && printf '[Service]\\nRestartSec=3s\\n' "
                   ">/run/systemd/system/outbindd.service.d/slow.conf && systemctl daemon-reload")
        machine.configure("policy { unit acme.service use acme; }")
        written = "journalctl -u outbindd --no-pager | grep -c 'table.written\\|table.healed' || true"
        before = machine.out(written)
        machine.sh("systemd-run -q --unit=acme -p '%s' python3 /io/send.py acme" % SETTLE)
        for signal in ("KILL", "ABRT"):
            machine.sh("systemctl kill -s %s outbindd; sleep 0.3; nft flush ruleset" % signal)
            check("the agent is down", machine.out("systemctl is-active outbindd", ok=False), "activating")
            check("tables", machine.out("nft list tables"), "table inet outbind")
            check("deleting it", machine.sh("nft delete table inet outbind", ok=False).status != 0, True)
            wait_for("the agent", lambda: machine.out("systemctl is-active outbindd", ok=False) == "active")
        machine.sh("outbindctl binding suspend beta; sleep 0.5; systemctl stop outbindd")
        check("stopped: the table stays", machine.out("nft list tables"), "table inet outbind")
        machine.sh("systemctl start outbindd")
        check("adopted, with what was suspended", machine.json("binding show beta")["suspended"], True)
        only(machine, "acme", "acme", OWN, 100)
        check("tables written", machine.out(written), before)


@case("outbind.target: who requires it does not start without the agent, and is not restarted with it")
def _(site):
    with site.machine() as machine:
        machine.configure("policy { unit acme.service use acme; }")
        unit_file(machine, "strict.service", "[Unit]\nRequires=outbind.target\nAfter=outbind.target\n"
                  "[Service]\nExecStart=/bin/sleep 1000")
        machine.sh("systemctl start strict")
        pid = machine.out("systemctl show -P MainPID strict")
        machine.sh("systemctl restart outbindd; systemctl kill -s KILL outbindd; sleep 1")
        check("the same process", machine.out("systemctl show -P MainPID strict"), pid)
        machine.sh("systemctl stop strict outbind.target outbindd; echo nonsense >>/etc/outbind/outbind.conf")
        check("started without the agent", machine.sh("systemctl start strict", ok=False).status != 0, True)
        check("not active", machine.out("systemctl is-active strict", ok=False), "inactive")


@case("boot: services that send at once after network.target are never seen with a wrong source", seconds=600)
def _(site):
    with site.machine() as machine:
        machine.sh("useradd -u 4243 sender")
        machine.configure("policy { unit early.service use acme; user 4243 use beta; }")
        early = "[Unit]\nAfter=network.target\n[Install]\nWantedBy=multi-user.target\n[Service]\nType=oneshot\n%s\n" \
                "ExecStart=/bin/bash -c 'for i in $(seq 60); do echo %s >/dev/udp/198.51.100.25/7000; sleep 0.02; done; true'\n"
        unit_file(machine, "early.service", early % (SETTLE, "early"))
        unit_file(machine, "user.service", early % ("User=sender", "user"))
        unit_file(machine, "plain.service", early % ("", "plain"))
        machine.sh("systemctl enable early user plain")
        wrong, seen, plain = [], 0, 0
        for i in range(site.options.boots):
            machine.stop()
            check("state", machine.boot(), "running")
            wait_for("all to be seen", lambda: len(machine.seen()) >= 3 or None, 10)
            rows = machine.seen()
            seen += sum(rows.values())
            plain += rows[("plain", HOST4)]
            wrong += [(i, row, n) for row, n in rows.items() if row[1] != {"early": ACME4, "user": BETA4, "plain": HOST4}[row[0]]]
            order = machine.out("systemctl show -P ActiveEnterTimestampMonotonic outbindd network-pre.target").split()
            check("the agent before network-pre.target", int(order[0]) <= int(order[-1]), True)
        check("wrong sources", wrong, [])
        check("the control: a service without a rule leaves from the host's address", plain > 0, True)
        check("%d seen" % seen, seen >= 10 * site.options.boots, True)
