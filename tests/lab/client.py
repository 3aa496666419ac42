# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One request, as JSON in the first argument, answered as JSON: a second opinion, of none of our code.

    {"host": …, "port": 443, "tls": true, "sni": …, "http_host": …, "path": "/", "headers": {…},
     "certificate": path, "key": path, "version": "TLSv1_2"}
    -> {"status": 200, "body": "…", "sha256": …, "protocol": …} or {"error": "…"}

Needs Python's standard library only, so it runs on every host of the lab.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import ssl
import sys


def ask(given: dict) -> dict:
    answer = {}
    address = given["host"], given.get("port", 443)
    connection = socket.create_connection(address, timeout=given.get("timeout_s", 10))
    if given.get("tls", True):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if "version" in given:
            context.minimum_version = context.maximum_version = ssl.TLSVersion[given["version"]]
        if "certificate" in given:
            context.load_cert_chain(given["certificate"], given["key"])
        connection = context.wrap_socket(connection, server_hostname=given.get("sni"))
        answer["sha256"] = hashlib.sha256(connection.getpeercert(binary_form=True)).hexdigest()
        answer["protocol"] = connection.version()
    headers = {"Host": given.get("http_host") or given.get("sni") or given["host"], "Connection": "close"}
    headers.update(given.get("headers", {}))
    lines = [f"GET {given.get('path', '/')} HTTP/1.1", *(f"{key}: {value}" for key, value in headers.items())]
    connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    response = http.client.HTTPResponse(connection)
    response.begin()
    return {**answer, "status": response.status, "body": response.read(65536).decode(errors="replace")}


if __name__ == "__main__":
    try:
        result = ask(json.loads(sys.argv[1]))
    except OSError as fault:
        result = {"error": str(fault)}
    print(json.dumps(result))
