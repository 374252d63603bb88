# SPDX-License-Identifier: GPL-2.0-or-later
"""A table in another program, by Postfix's socketmap protocol (socketmap_table(5))."""

import os
import socket
import threading


class SocketMap(threading.Thread):
    """Answers at a Unix socket with what answer(request) returns; `asked` has every request."""

    def __init__(self, path, answer):
        super().__init__(daemon=True)
        self.answer, self.asked, self.listener = answer, [], socket.socket(socket.AF_UNIX)
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
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        pending = b""
        while True:
            got = sock.recv(65536)
            if not got:
                return
            pending += got
            while b":" in pending:
                length, _, rest = pending.partition(b":")
                if len(rest) <= int(length):
                    break
                request, pending = rest[:int(length)].decode(), rest[int(length) + 1:]
                self.asked.append(request)
                answer = self.answer(request).encode()
                sock.sendall(b"%d:%s," % (len(answer), answer))
