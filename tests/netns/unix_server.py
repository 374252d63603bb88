# SPDX-License-Identifier: GPL-2.0-or-later
"""Other programs at Unix sockets that the relay asks."""

import os
import socket
import threading


class UnixServer(threading.Thread):
    """Serves every connection at a path, each in a thread, by serve(sock) of the class derived from it."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        os.chmod(path, 0o777)
        self.listener.listen(8)
        self.start()

    def close(self):
        self.listener.close()

    def run(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve_and_close, args=(sock,), daemon=True).start()

    def serve_and_close(self, sock):
        with sock:
            self.serve(sock)
