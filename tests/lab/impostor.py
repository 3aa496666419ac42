# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A TLS server that claims to be somebody else: what does a client give away before it notices?

    python3 impostor.py CERTIFICATE KEY PORT REPORT

REPORT is rewritten after each connection: {"connections": 1, "handshakes": 1, "bytes": 0}. A handshake may
well end, since a client may judge the certificate after it; what counts is whether application bytes follow.
Standard library only; strangers.py makes the certificate.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import sys
import threading
from pathlib import Path

IDLE_S = 5


class Impostor:
    def __init__(self, context: ssl.SSLContext, report: Path) -> None:
        self.context = context
        self.report = report
        self.seen = {"connections": 0, "handshakes": 0, "bytes": 0}
        self.lock = threading.Lock()
        self.note()

    def note(self, **more: int) -> None:
        with self.lock:
            for name, count in more.items():
                self.seen[name] += count
            new = self.report.with_suffix(".new")
            new.write_text(json.dumps(self.seen))
            os.replace(new, self.report)

    def serve(self, connection: socket.socket) -> None:
        self.note(connections=1)
        connection.settimeout(IDLE_S)
        try:
            with self.context.wrap_socket(connection, server_side=True) as tls:
                self.note(handshakes=1)
                while data := tls.recv(65536):
                    self.note(bytes=len(data))
        except OSError:
            pass  # the client hung up, as it should; what it sent until then is noted


def main(certificate: str, key: str, port: str, report: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    impostor = Impostor(context, Path(report))
    with socket.create_server(("", int(port))) as listener:
        while True:
            connection, _peer = listener.accept()
            threading.Thread(target=impostor.serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
