# SPDX-License-Identifier: GPL-2.0-or-later
"""A table in another program, by Postfix's socketmap protocol (socketmap_table(5))."""

from unix_server import UnixServer


class SocketMap(UnixServer):
    """Answers with what answer(request) returns; `asked` has every request."""

    def __init__(self, path, answer):
        self.answer, self.asked = answer, []
        super().__init__(path)

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
