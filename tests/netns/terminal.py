# SPDX-License-Identifier: GPL-2.0-or-later
"""A program in a terminal of its own (tmux), whose screen is looked at and whose keys are pressed."""

import os
import shlex

from place import wait_for


class Terminal:
    count = 0

    def __init__(self, lab, namespace, command, width=80, height=24, env=None):
        Terminal.count += 1
        self.lab, self.namespace = lab, namespace
        self.socket = "%s/terminal%d" % (lab.dir, Terminal.count)
        self.status = self.socket + ".status"
        with open(self.socket + ".conf", "w") as conf:
            conf.write("set -g status off\nset -sg escape-time 0\nset -g default-terminal screen-256color\n")
        words = ["env"] + ["%s=%s" % pair for pair in (env or {"LC_ALL": "C.UTF-8"}).items()] + list(command)
        # The shell stays when the program has ended, with what it left on the screen.
        shell = "trap : INT; echo before; %s; echo $? > %s; echo after; exec sleep 600" % (
            " ".join(map(shlex.quote, map(str, words))), self.status)
        self.tmux("new-session", "-d", "-x", width, "-y", height, "sh", "-c", shell)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.tmux("kill-server", ok=False)

    def tmux(self, *words, ok=True):
        return self.lab.run(self.namespace, "tmux", "-u", "-S", self.socket, "-f", self.socket + ".conf", *words, ok=ok,
                            env=dict(os.environ, LC_ALL="C.UTF-8")).stdout

    def lines(self):
        return self.tmux("capture-pane", "-p").split("\n")[:-1]

    def raw(self):
        """With escape sequences, as a terminal would be sent them."""
        return self.tmux("capture-pane", "-p", "-e")

    def press(self, *keys):
        """Keys as tmux calls them: "Enter", "Down", "s"."""
        self.tmux("send-keys", *keys)

    def type(self, text):
        self.tmux("send-keys", "-l", text)

    def resize(self, width, height):
        self.tmux("resize-window", "-x", width, "-y", height)

    def wait(self, what, condition, seconds=10.0):
        """Until condition(lines) is true; the lines of that moment."""
        def look():
            lines = self.lines()
            return lines if condition(lines) else None
        try:
            return wait_for(what, look, seconds, 0.05)
        except AssertionError as error:
            raise AssertionError("%s\n%s" % (error, "\n".join(self.lines()))) from None

    def ended(self):
        """Exit status, or None."""
        if not os.path.exists(self.status):
            return None
        with open(self.status) as file:
            text = file.read()
        return int(text) if text.endswith("\n") else None
