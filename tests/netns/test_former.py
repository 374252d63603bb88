# SPDX-License-Identifier: GPL-2.0-or-later
"""Sockets that outlive their cgroup: kept by a service manager over a restart, or passed on to somebody else."""

import json
import os
import socket

from cases import test
from lab import FAR, HOST, Lab, PORT, binding, check, pool, wait_for
from place import join
from test_intercept import MAIL, intercept, start_relay, turned

BINDINGS = binding("a", 11) + binding("b", 12)


def hold(mine, cgroup, home, kinds):
    """Make sockets in a cgroup, leave it, and use one of them whenever told where to."""
    join(cgroup)
    socks = [socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, kind) for family, kind in kinds]
    join(home)
    with mine, mine.makefile("rw") as lines:
        lines.write("left\n")
        lines.flush()
        for line in lines:
            n, to, port = json.loads(line)
            said = None
            try:
                sock = socks[n]
                sock.settimeout(3)
                sock.connect((to, port))
                sock.send(b"who\n")
                said = sock.recv(2048).split()[0].decode()
                if sock.type == socket.SOCK_STREAM:
                    sock.close()
            except OSError as error:
                said = "!" + type(error).__name__
            lines.write(json.dumps(said) + "\n")
            lines.flush()


class Former:
    """The sockets of a cgroup that was removed: four of TCP and one of UDP, in each family."""

    def __init__(self, lab, path):
        group = lab.cgroup(path)
        kinds = [(family, kind) for family in (4, 6) for kind in [socket.SOCK_STREAM] * 4 + [socket.SOCK_DGRAM]]
        self.kinds = kinds
        self.mine, theirs = socket.socketpair()
        self.pid = lab.fork("sender", hold, theirs, group, lab.cgroup("/elsewhere"), kinds)
        theirs.close()
        self.mine.settimeout(10)
        self.lines = self.mine.makefile("rw")
        check("it left", self.lines.readline(), "left\n")
        lab.agents[0].ctl("settle")             # one that comes and goes before anybody looks is not known
        os.rmdir(group)

    def ask(self, family, kind=socket.SOCK_STREAM, port=PORT):
        """What the far end saw; a socket of TCP is used once."""
        n = self.kinds.index((family, kind))
        if kind == socket.SOCK_STREAM:
            self.kinds[n] = None
        self.lines.write(json.dumps([n, FAR[family], port]) + "\n")
        self.lines.flush()
        return json.loads(self.lines.readline())

    def check(self, what, want):
        for family in (4, 6):
            for kind, name in ((socket.SOCK_STREAM, "TCP"), (socket.SOCK_DGRAM, "UDP")):
                check("%s, %s in v%d" % (what, name, family), self.ask(family, kind), want(family))


def of(last):
    return lambda family: pool(last, family)


@test("a socket of a cgroup that was removed leaves from its binding: by unit, path, and a slice above, after changes too")
def _():
    conf = BINDINGS + 'policy { unit "app.service" use a; cgroup "/named/one" use b; unit "above.slice" use b;%s }'
    with Lab() as lab:
        lab.cgroup("/named")
        lab.cgroup("/above.slice")
        agent = lab.agent(conf % "")
        unit = Former(lab, "/app.service")
        path = Former(lab, "/named/one")
        above = Former(lab, "/above.slice/any.service")
        agent.ctl("settle")
        unit.check("unit", of(11))
        path.check("path", of(12))
        above.check("slice above", of(12))
        again = lab.cgroup("/app.service")      # the unit starts again
        agent.ctl("settle")
        check("the new one", lab.source(FAR[4], cgroup=again), pool(11, 4))
        unit.check("beside it", of(11))
        agent.write(conf.replace("app.service\" use a", "app.service\" use b") % " user 4001 use a;")
        agent.ctl("reload")
        unit.check("another rule", of(12))
        path.check("the same rule", of(12))
        agent.stop()
        agent.start()
        check("adopted", len(agent.events("table.written")), 1)
        unit.check("after a restart", of(12))


@test("a socket of a cgroup that was removed stays with the relay that its unit is turned to")
def _():
    with Lab() as lab:
        lab.agent(BINDINGS + intercept('unit "postfix.service"; port 25;'))
        start_relay(lab)
        former = Former(lab, "/postfix.service")
        other = Former(lab, "/other.service")
        lab.agents[0].ctl("settle")
        for family in (4, 6):
            check("v%d turned" % family, former.ask(family, port=MAIL), turned(family))
            check("v%d not another's" % family, other.ask(family, port=MAIL), HOST[family])


@test("of many cgroups that are removed the last thousand are remembered, and a file that is broken is none")
def _():
    with Lab() as lab:
        agent = lab.agent(BINDINGS + 'policy { unit "app.service" use a; }')
        first = Former(lab, "/app.service")
        agent.ctl("settle")
        check("at first", first.ask(4), pool(11, 4))
        for _ in range(30):
            group = lab.cgroup("/app.service")
            agent.ctl("settle")
            os.rmdir(group)
            agent.ctl("settle")
        check("still", first.ask(4), pool(11, 4))
        former = Former(lab, "/app.service")
        agent.ctl("settle")
        agent.stop()
        with open(agent.state + "/former", "r+") as file:
            text = file.read()
            check("lines", len(text.splitlines()), 2 + 32)
            file.seek(0)
            file.write(text.replace("app.service", "\0pp.service"))
        agent.start()
        wait_for("words", lambda: agent.events("state.unreadable"))
        check("not known any more", former.ask(4), HOST[4])
