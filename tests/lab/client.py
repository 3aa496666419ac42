# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests, as JSON in the first argument, answered as JSON: a second opinion, of none of our code.

    {"host": …, "port": 443, "tls": true, "sni": …, "http_host": …, "path": "/", "headers": {…},
     "certificate": path, "key": path, "version": "TLSv1_2",
     "first": "what a load balancer says before TLS begins", "again": true, "wait": true}
    -> {"status": 200, "headers": {lower-case name: value}, "body": "…", "sha256": …, "protocol": …,
        "resumed": false} or {"error": "…"}

*again*: the answer is that to a second request, which offers the session of the first, and `first_status`;
with *wait* it is made when a line has come on standard input. It may say what is other then: {"sni": …}.
A list of requests has a list of answers.
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
    context = tls(given) if given.get("tls", True) else None
    answer, session = once(given, context, None)
    if again := given.get("again"):
        if given.get("wait"):
            print("asked", flush=True)
            sys.stdin.readline()
        status = answer["status"]
        try:
            answer, session = once({**given, **(again if isinstance(again, dict) else {})}, context, session)
        except OSError as fault:
            answer = {"error": str(fault)}
        answer["first_status"] = status
    return answer


def told(given: dict) -> dict:
    """The answer, or the error in its place."""
    try:
        return ask(given)
    except OSError as fault:
        return {"error": str(fault)}


def tls(given: dict) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if "version" in given:
        context.minimum_version = context.maximum_version = ssl.TLSVersion[given["version"]]
    if "certificate" in given:
        context.load_cert_chain(given["certificate"], given["key"])
    return context


def once(given: dict, context: ssl.SSLContext | None, session: ssl.SSLSession | None) -> tuple:
    """The answer to one request, and its session for the next."""
    answer = {}
    address = given["host"], given.get("port", 443)
    connection = socket.create_connection(address, timeout=given.get("timeout_s", 10))
    connection.sendall(given.get("first", "").encode())
    if context:
        connection = context.wrap_socket(connection, server_hostname=given.get("sni"), session=session)
        answer["sha256"] = hashlib.sha256(connection.getpeercert(binary_form=True)).hexdigest()
        answer["protocol"] = connection.version()
        answer["resumed"] = connection.session_reused
    headers = {"Host": given.get("http_host") or given.get("sni") or given["host"], "Connection": "close"}
    headers.update(given.get("headers", {}))
    lines = [f"GET {given.get('path', '/')} HTTP/1.1", *(f"{key}: {value}" for key, value in headers.items())]
    connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    response = http.client.HTTPResponse(connection)
    response.begin()
    answer["headers"] = {name.lower(): value for name, value in response.getheaders()}
    answer.update(status=response.status, body=response.read(65536).decode(errors="replace"))
    return answer, connection.session if context else None


if __name__ == "__main__":
    requests = json.loads(sys.argv[1])
    print(json.dumps([told(one) for one in requests] if isinstance(requests, list) else told(requests)))
