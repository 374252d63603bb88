# SPDX-License-Identifier: GPL-2.0-or-later
"""The package: install, quick start, sandbox, upgrade, remove, purge."""

import os
import re
import shutil
import subprocess

from cases import ACME4, BETA4, HOST4, case, check, wait_for
from place import Skip

README = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../README.md")


@case("package: installed in one command, the agent runs, enabled, with a configuration that changes no traffic")
def _(site):
    with site.fresh() as machine:
        machine.boot()
        check("source before", machine.source(settle=False), HOST4)
        machine.install("outbind")
        state = machine.out("systemctl is-active outbindd; systemctl is-enabled outbindd; outbindctl check").splitlines()
        check("active, enabled, valid", state[:2], ["active", "enabled"])
        check("the timer of DNS checks", machine.out("systemctl is-active outbind-dns.timer; "
              "systemctl is-enabled outbind-dns.timer", ok=False).splitlines(), ["inactive", "disabled"])
        status = machine.json("status")
        check("bindings, rules", (status["bindings"], status["rules"]), (0, 0))
        check("source after", machine.source(settle=False), HOST4)
        check("failed units", machine.out("systemctl --failed --plain --no-legend"), "")
        check("manuals", machine.out("ls /usr/share/man/man?/outbind{.7,.conf.5,ctl.1,d.8}.gz | wc -l"), "4")
        check("completion", machine.out("bash -ic 'source /usr/share/bash-completion/completions/outbindctl;"
                                        " complete -p outbindctl' 2>/dev/null"), "complete -o default -F _outbindctl outbindctl")


@case("package: lintian finds no error and no warning")
def _(site):
    if not shutil.which("lintian"):
        raise Skip("no lintian")
    found = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning", *site.debs], capture_output=True, text=True)
    check("lintian: " + found.stdout, (found.returncode, found.stdout), (0, ""))


def quick_start():
    """Commands, and lines of configuration, of the README's section."""
    with open(README) as file:
        section = re.search(r"^## Install it\n(.*?)^## ", file.read(), re.M | re.S)[1]
    lines = [text[4:] for text in section.splitlines() if text.startswith("    ")]
    conf = [text for text in lines if re.match(r"binding|policy|\}| ", text)]
    return [text for text in lines if text not in conf], conf


@case("package: the README's quick start, as printed: five lines, and two services leave from two addresses")
def _(site):
    commands, conf = quick_start()
    check("lines of configuration", len(conf), 5)
    with site.fresh() as machine:
        machine.boot()
        said = []
        for command in commands:
            if command.startswith("$EDITOR "):
                command = "cat >>%s <<'X'\n%s\nX" % (command.split()[1], "\n".join(conf))
            said.append(machine.out("cd /io && " + command.split("   #")[0], timeout=120))
        check("sources", said[-2:], [ACME4, BETA4])


@case("package: an upgrade under traffic loses nothing, keeps conffiles, and restarts the agent")
def _(site):
    if not site.newer:
        raise Skip("no second version was built")
    with site.machine() as machine:
        machine.configure("policy { unit acme.service use acme; otherwise reject; }")
        machine.sh("systemd-run -q --unit=acme -p ExecStartPre='+/usr/bin/outbindctl settle' python3 /io/send.py acme")
        machine.sh("systemctl enable --now outbind-dns.timer")
        before = machine.json("status")["pid"]
        digest = machine.out("md5sum /etc/outbind/outbind.conf")
        for debs in (site.newer, site.debs):
            deb = next(path for path in debs if "/outbind_" in path)
            name = os.path.basename(deb)
            shutil.copy(deb, machine.io)
            machine.sh("DEBIAN_FRONTEND=noninteractive apt-get install -y --allow-downgrades /io/" + name, timeout=120)
            check("active after " + name, machine.out("systemctl is-active outbindd"), "active")
            check("the timer after " + name, machine.out("systemctl is-active outbind-dns.timer", ok=False), "active")
        check("a new agent", machine.json("status")["pid"] != before, True)
        check("configuration", machine.out("md5sum /etc/outbind/outbind.conf"), digest)
        seen = machine.seen("acme")
        check("something was sent", sum(seen.values()) > 200, True)
        check("wrong sources", {source: n for source, n in seen.items() if source not in (ACME4, "2001:db8::11")}, {})


@case("package: removed, the rules and addresses go; purged, nothing is left")
def _(site):
    with site.machine() as machine:
        machine.configure("policy { unit acme.service use acme; }")
        check("source", machine.source(unit="acme"), ACME4)
        machine.sh("echo '# mine' >>/etc/outbind/conf.d/mine.conf; systemctl enable --now outbind-dns.timer")
        machine.sh("DEBIAN_FRONTEND=noninteractive apt-get remove -y outbind", timeout=120)
        check("tables", machine.out("nft list tables"), "")
        check("the timer", machine.out("systemctl is-active outbind-dns.timer", ok=False), "inactive")
        check("addresses", machine.out("ip -o addr show eth0 | grep -c 192.0.2.1[12] || true"), "0")
        check("configuration is kept", machine.out("ls /etc/outbind"), "conf.d\noutbind.conf")
        check("source", machine.source(settle=False), HOST4)
        machine.sh("DEBIAN_FRONTEND=noninteractive apt-get purge -y outbind", timeout=120)
        left = machine.out("find / -xdev -name '*outbind*' -not -path '/proc/*' -not -path '/io/*'"
                           " -not -path '/var/lib/systemd/*' -not -path '/sys/*'").split()
        check("left", left, ["/etc/outbind"])
        check("what the administrator made", machine.out("find /etc/outbind -type f"), "/etc/outbind/conf.d/mine.conf")
        check("failed units", machine.out("systemctl --failed --plain --no-legend"), "")


@case("package: removed while its configuration is broken, the rules go all the same")
def _(site):
    with site.machine() as machine:
        machine.configure("policy { unit acme.service use acme; }")
        machine.sh("echo nonsense >>/etc/outbind/outbind.conf; systemctl stop outbindd")
        check("the table stays without an agent", "outbind" in machine.out("nft list tables"), True)
        machine.sh("DEBIAN_FRONTEND=noninteractive apt-get purge -y outbind", timeout=120)
        check("tables", machine.out("nft list tables"), "")
        wait_for("no state", lambda: machine.out("ls -d /var/lib/outbind /etc/outbind 2>/dev/null || true") == "")
