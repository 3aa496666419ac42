#!/usr/bin/python
# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: nginx_tls_info
short_description: Say what each nginx of a host really uses for TLS, whoever configured it
version_added: 0.1.0
author:
  - The mutual_tls.nginx maintainers (@mutual-tls-nginx)
description:
  - Reads C(nginx -T) of each nginx that runs, and of the installed one that does not, and works out what
    is in force. It follows includes, the inheritance between C(http), C(server) and C(location), the
    default server of each socket, C(stream), upstream blocks, and what this version of nginx does by
    default.
  - Tells each server block that listens with TLS or not, each location that leads to an upstream by TLS
    or with a client certificate, each certificate, key, trust bundle and CRL that they name, and what
    each block serves.
  - A finding is one problem with a stable code, a severity, a sentence, a remedy and a place.
  - In the result each file is shown as RV(instances[].servers[].certificates[].certificate), each listen as
    RV(instances[].servers[].listens), each finding as RV(findings).
  - Nothing but facts of TLS leaves the host. Headers, other directives, maps, code and the log lines of
    requests are dropped there, and so are user, path and query of an upstream's URL. Of a key nothing is
    told but whether it is its certificate's.
  - It changes nothing and takes no lock.
notes:
  - Run it as root (C(become)), who alone may read keys and what other processes were started with.
  - What is told is the configuration on disk. RV(instances[].loaded) and C(tls.file_newer_than_loaded)
    say whether nginx has read it. Where nginx refuses it, the files are read without nginx, as far as
    that goes.
  - A server block is asked by one TLS handshake without a client certificate, and no request follows. In
    C(stream) nginx opens a connection to its upstream for it.
  - A stopped nginx tests its configuration as C(nginx -t) does, which may leave empty log files and
    directories.
  - An nginx in a container has processes of its own, and is told by this module inside of it only. Of one in
    a chroot, or in a container with the host's processes, nothing is told but that it runs.
  - An nginx of C(master_process off) is not found, for it does not say what it is.
  - A log that goes to the journal, by C(stderr) of a unit or C(syslog:server=unix:/dev/log), is read with
    C(journalctl). One that goes to the syslog of another host, or to memory, is not; with O(log_minutes)
    RV(why) says so.
  - The paths of locations are told, as are names of servers and files, so none of them may be a secret.
  - Values that hold a variable are told as they stand. What a C(map) makes of it is known to a request
    only.
requirements:
  - cryptography is optional (Debian package C(python3-cryptography)). Without it RV(why) says what is
    missing.
extends_documentation_fragment:
  - mutual_tls.nginx.attributes.info
attributes:
  platform:
    details: Instances are found in C(/proc), that is on Linux.
options:
  base:
    description:
      - The directory of releases (C(nginx_mtls_base)). Blocks of a release there are told as C(ours).
    type: path
    default: /etc/nginx/mtls
  pem:
    description:
      - Also return certificates and CRLs whole, RV(files[].pem), so that the controller can judge them
        beside those of other hosts. Never a key.
    type: bool
    default: false
  probe:
    description: Whether to ask each server block with TLS what it serves.
    type: bool
    default: true
  log_minutes:
    description:
      - How many minutes before now lines of the error logs count. With V(0) no log is read.
      - Of each log the last 4 MiB are read, and of a log that was rotated meanwhile the one before.
    type: int
    default: 0
  timeout_s:
    description: Seconds for each call of nginx.
    type: float
    default: 30
  probe_timeout_s:
    description: Seconds for each handshake. A socket that does not answer in time is asked no second time.
    type: float
    default: 3
  at:
    description: The time at which certificates and CRLs are judged, RFC 3339. Without it, the host's clock.
    type: str
    default: ""
  fail_on:
    description:
      - Fail when there is a finding of this severity or a worse one. The result is complete all the same.
    type: str
    choices: [error, warning, never]
    default: never
"""

EXAMPLES = r"""
- name: What does each nginx here use
  mutual_tls.nginx.nginx_tls_info:
  become: true
  register: seen

- name: All problems, what, where, and what to do
  ansible.builtin.debug:
    msg: "{{ item.place }}: {{ item.message }} {{ item.remedy }}"
  loop: "{{ seen.findings }}"
  loop_control:
    label: "{{ item.code }}"

- name: Certificates that end within 30 days, whoever installed them
  ansible.builtin.debug:
    msg: "{{ item.path }}: {{ item.certificates[0].days_left }} days"
  loop: "{{ seen.files | selectattr('kind', 'equalto', 'certificate') | selectattr('certificates') }}"
  when: item.certificates[0].days_left < 30
  loop_control:
    label: "{{ item.path }}"

- name: What was refused in the last ten minutes
  mutual_tls.nginx.nginx_tls_info:
    log_minutes: 10
    probe: false
  become: true
  register: recent
"""

RETURN = r"""
instances:
  description: Each nginx, the running ones by pid, then the installed one that does not run.
  returned: always
  type: list
  elements: dict
  contains:
    pid:
      description: The master process. Null where it does not run.
      returned: always
      type: int
    program:
      description: Its program.
      returned: always
      type: str
      sample: /usr/sbin/nginx
    conf_path:
      description: Its main file.
      returned: always
      type: str
      sample: /etc/nginx/nginx.conf
    version:
      description: Its version.
      returned: always
      type: str
      sample: 1.26.3
    openssl:
      description: The OpenSSL that it runs with, empty where it does not say.
      returned: always
      type: str
      sample: 3.5.7
    unit:
      description: The unit that started it, empty without one.
      returned: always
      type: str
      sample: nginx.service
    user:
      description: Whom its workers run as.
      returned: always
      type: str
      sample: www-data
    ok:
      description: Whether C(nginx -T) accepts the configuration as it is on disk now.
      returned: always
      type: bool
    emerg:
      description:
        - What it says where it does not, at most 5 lines, without what it quotes of the configuration.
      returned: always
      type: list
      elements: str
    loaded:
      description:
        - When its oldest worker that takes connections began, that is when it read the configuration.
          Null where it does not run.
      returned: always
      type: str
      sample: "2026-11-22T13:00:00Z"
    error_logs:
      description: Each log that it writes to.
      returned: always
      type: list
      elements: dict
      contains:
        path:
          description: The file, or V(stderr), V(syslog), V(memory).
          returned: always
          type: str
        to:
          description: The socket or host of V(syslog), else empty.
          returned: always
          type: str
          sample: "unix:/dev/log"
        read_as:
          description:
            - What shows it on this host, and what its lines have as RV(log[].file) - the file, or a command.
              Empty where it is not on this host.
          returned: always
          type: str
          sample: journalctl _SYSTEMD_UNIT=nginx.service
        level:
          description: The most telling level that is asked of it.
          returned: always
          type: str
          sample: error
        place:
          description: File and line, empty for nginx's own.
          returned: always
          type: str
    servers:
      description: Each server block of C(http), C(stream) and C(mail), in nginx's order.
      returned: always
      type: list
      elements: dict
      contains:
        place:
          description: File and line of the block.
          returned: always
          type: str
          sample: /etc/nginx/conf.d/a.conf:3
        module:
          description: V(http), V(stream) or V(mail).
          returned: always
          type: str
        names:
          description: Its C(server_name), in lower case.
          returned: always
          type: list
          elements: str
          sample: [orders.example.com]
        ours:
          description: Whether it is of the text of a release below O(base).
          returned: always
          type: bool
        listens:
          description: Where it listens.
          returned: always
          type: list
          elements: dict
          contains:
            address:
              description: V(*), an IP address, a name, or V(unix:/path).
              returned: always
              type: str
              sample: "*"
            port:
              description: The port, 0 for a unix socket.
              returned: always
              type: int
              sample: 443
            tls:
              description: Whether TLS is spoken there, also where another block says so.
              returned: always
              type: bool
            default:
              description: Whether this block is the default server there, marked or first.
              returned: always
              type: bool
            proxy_protocol:
              description: Whether a header of the PROXY protocol comes first.
              returned: always
              type: bool
            http2:
              description: Whether HTTP/2 is offered.
              returned: always
              type: bool
            quic:
              description: Whether it is QUIC, by UDP.
              returned: always
              type: bool
        tls:
          description: Whether it speaks TLS anywhere.
          returned: always
          type: bool
        verify:
          description: V(off), V(on), V(optional) or V(optional_no_ca).
          returned: always
          type: str
        certificates:
          description: What it presents. nginx takes the first key for the first certificate, and so on.
          returned: always
          type: list
          elements: dict
          contains:
            certificate:
              description: The certificate and its chain.
              returned: always
              type: dict
              contains:
                path:
                  description: The absolute path, empty where no path is known.
                  returned: always
                  type: str
                  sample: /etc/ssl/a.pem
                variable:
                  description: Whether it holds a variable, so that the worker reads it for each connection.
                  returned: always
                  type: bool
                scheme:
                  description: V(engine), V(store), V(data) or V(pkcs11) where it is no file, else empty.
                  returned: always
                  type: str
                text:
                  description: The value as it stands where it holds a variable, else empty.
                  returned: always
                  type: str
                  sample: /etc/ssl/$ssl_server_name.pem
                place:
                  description: File and line of the directive that is in force.
                  returned: always
                  type: str
                  sample: /etc/nginx/conf.d/a.conf:7
            key:
              description: Its key, null without one.
              returned: always
              type: dict
        trust:
          description: C(ssl_client_certificate). Null without one.
          returned: always
          type: dict
        trusted:
          description: C(ssl_trusted_certificate). Null without one.
          returned: always
          type: dict
        crl:
          description: C(ssl_crl). Null without one.
          returned: always
          type: dict
        depth:
          description: How many intermediates a client's chain may have.
          returned: always
          type: int
        protocols:
          description: The versions of TLS that its own settings allow.
          returned: always
          type: list
          elements: str
          sample: [TLSv1.2, TLSv1.3]
        ciphers:
          description: C(ssl_ciphers), empty for nginx's default.
          returned: always
          type: str
        reject_handshake:
          description: Whether it refuses every handshake.
          returned: always
          type: bool
        session_cache:
          description: C(ssl_session_cache).
          returned: always
          type: str
          sample: none
        session_tickets:
          description: Whether it gives session tickets.
          returned: always
          type: bool
        session_ticket_key:
          description: The first file of C(ssl_session_ticket_key). Null without one.
          returned: always
          type: dict
        session_ticket_keys:
          description: All of them.
          returned: always
          type: list
          elements: dict
        password:
          description: C(ssl_password_file). Null without one.
          returned: always
          type: dict
        places:
          description: File and line of each directive that is in force and was written somewhere.
          returned: always
          type: dict
          sample: {ssl_verify_client: "/etc/nginx/nginx.conf:20"}
        inherited:
          description: Those of them that the outermost block says.
          returned: always
          type: list
          elements: str
          sample: [ssl_protocols]
        backends:
          description:
            - Each place of a block of C(http) from which requests are passed on (C(proxy_pass), C(grpc_pass),
              C(uwsgi_pass)), with TLS or without. Empty where the block answers by itself (C(return)).
          returned: always
          type: list
          elements: dict
          contains:
            place:
              description: File and line of the C(proxy_pass).
              returned: always
              type: str
              sample: /etc/nginx/conf.d/a.conf:12
            path:
              description: The location.
              returned: always
              type: str
              sample: /api/
            servers:
              description: The addresses. Empty where only a request tells them.
              returned: always
              type: list
              elements: str
              sample: ["127.0.0.1:9000"]
            host:
              description: The Host that is sent, empty where only a request tells it.
              returned: always
              type: str
            guarded:
              description:
                - Whether it lets in some callers only (C(allow), C(auth_basic), an C(if) with C(return)).
              returned: always
              type: bool
            identity:
              description:
                - The headers that tell who the client is, by C($ssl_client_s_dn) and its kin, or by what
                  C(map) and C(set) make of them.
              returned: always
              type: list
              elements: str
              sample: [X-SSL-Client-S-DN]
            dropped:
              description: Those of an outer level that this place drops, as it sets headers of its own.
              returned: always
              type: list
              elements: str
            dropped_place:
              description: File and line of the first of them, empty without one.
              returned: always
              type: str
        served:
          description:
            - What was seen, one element for each socket with TLS and the first name. Empty without
              O(probe), and where nginx does not run.
          returned: always
          type: list
          elements: dict
          contains:
            address:
              description: Who was asked.
              returned: always
              type: str
              sample: 127.0.0.1:443
            server_name:
              description: By which name, empty without one.
              returned: always
              type: str
            error:
              description: Why nothing was seen, else empty.
              returned: always
              type: str
            protocol:
              description: The TLS version.
              returned: always
              type: str
              sample: TLSv1.3
            sha256:
              description: SHA-256 of the certificate. Null where none was seen.
              returned: always
              type: str
            subject:
              description: Its subject, null where it cannot be read.
              returned: always
              type: str
            not_after:
              description: The end of its validity, null where it cannot be read.
              returned: always
              type: str
            chain:
              description:
                - SHA-256 of all certificates that were sent, the leaf first. Before Python 3.10 the
                  leaf alone.
              returned: always
              type: list
              elements: str
        findings:
          description: What is wrong with this block.
          returned: always
          type: list
          elements: dict
    locations:
      description: Each place that leads to an upstream by TLS, or with a client certificate.
      returned: always
      type: list
      elements: dict
    findings:
      description: What is wrong with the instance itself.
      returned: always
      type: list
      elements: dict
files:
  description: Every file that is named, once, by path.
  returned: always
  type: list
  elements: dict
  contains:
    path:
      description: The path.
      returned: always
      type: str
    kind:
      description: The first of RV(files[].kinds).
      returned: always
      type: str
      sample: certificate
    kinds:
      description:
        - What it is named as, of V(certificate), V(key), V(trust), V(crl), V(ticket_key) and
          V(password).
      returned: always
      type: list
      elements: str
    state:
      description: V(ok), V(missing), V(unreadable), or V(other) for what is no regular file or too large.
      returned: always
      type: str
    mode:
      description: Its mode, null where it is not there.
      returned: always
      type: str
      sample: "0600"
    owner:
      description: Its owner.
      returned: always
      type: str
    group:
      description: Its group.
      returned: always
      type: str
    changed:
      description: When its content was changed, RFC 3339.
      returned: always
      type: str
    newer_than_loaded:
      description:
        - Whether it, or where it lies, was changed since nginx read it. Null where nginx does not run.
        - The time of its inode counts, since a file that is moved in keeps that of its content. So owner and
          mode count, too, but for a certificate that nginx was seen to serve as it lies there, and its key.
      returned: always
      type: bool
    certificates:
      description: What a file of certificates holds.
      returned: always
      type: list
      elements: dict
      contains:
        subject:
          description: The subject.
          returned: always
          type: str
        issuer:
          description: The issuer.
          returned: always
          type: str
        serial:
          description: The serial number, hexadecimal digits.
          returned: always
          type: str
        sha256:
          description: SHA-256 of the certificate.
          returned: always
          type: str
        not_before:
          description: The beginning of its validity, RFC 3339.
          returned: always
          type: str
        not_after:
          description: The end of its validity, RFC 3339.
          returned: always
          type: str
        days_left:
          description: Whole days until then, negative when it has expired.
          returned: always
          type: int
        is_ca:
          description: Whether OpenSSL would use it as an issuer.
          returned: always
          type: bool
        san:
          description: The names it is for, as lists C(dns), C(ip), C(uri) and C(email).
          returned: always
          type: dict
        key_usage:
          description: Its key usages.
          returned: always
          type: list
          elements: str
        extended_key_usage:
          description: Its extended key usages.
          returned: always
          type: list
          elements: str
    crls:
      description: What a file of CRLs holds.
      returned: always
      type: list
      elements: dict
      contains:
        issuer:
          description: The issuer.
          returned: always
          type: str
        number:
          description: Its number, null without one.
          returned: always
          type: int
        this_update:
          description: When it was made, RFC 3339.
          returned: always
          type: str
        next_update:
          description: When it ends, null where it does not.
          returned: always
          type: str
        days_left:
          description: Whole days until then.
          returned: always
          type: int
        revoked:
          description: How many certificates it revokes.
          returned: always
          type: int
    pem:
      description: Its certificates or CRLs, written anew.
      returned: with O(pem), for certificates, trust and CRLs
      type: str
    findings:
      description: What is wrong with it, also with the pair or the bundle that it belongs to.
      returned: always
      type: list
      elements: dict
log:
  description:
    - Lines of the error logs that are about TLS, the oldest first, at most 1000. Empty without
      O(log_minutes).
  returned: always
  type: list
  elements: dict
  contains:
    time:
      description: When, in the host's local time.
      returned: always
      type: str
      sample: "2026-11-22T13:00:00"
    level:
      description: nginx's level.
      returned: always
      type: str
      sample: info
    file:
      description: The log it stands in, as RV(instances[].error_logs[].read_as).
      returned: always
      type: str
    kind:
      description:
        - What it is about, one of V(client_verify), V(client_no_certificate), V(misdirected),
          V(handshake), V(rejected), V(plain_http), V(upstream_verify), V(upstream_name),
          V(upstream_handshake), V(upstream_connect), V(upstream_timeout), V(upstream_resolve),
          V(upstream_closed), V(worker_file), V(access_denied), V(limited), V(exhausted), V(emerg).
      returned: always
      type: str
    code:
      description: OpenSSL's code of a verification, else null.
      returned: always
      type: int
    alert:
      description: The number of a TLS alert, else null.
      returned: always
      type: int
    text:
      description: The words of nginx or OpenSSL.
      returned: always
      type: str
    client:
      description: The address of the client, else empty.
      returned: always
      type: str
    server:
      description: The name of the server block, else empty.
      returned: always
      type: str
    upstream:
      description: The address of the upstream, else empty.
      returned: always
      type: str
addresses:
  description: The addresses of this host, without loopback and those of one link alone.
  returned: always
  type: list
  elements: str
  sample: [192.0.2.11]
names:
  description:
    - What each name of a server that a location asks stands for on this host now, at most 64 names. An
      empty list for a name without an answer within 4 seconds.
  returned: always
  type: dict
  sample: {a.example.com: [192.0.2.11]}
why:
  description: What could not be told on this host, and what it would take. Empty where nothing is missing.
  returned: always
  type: str
at:
  description: The time at which certificates and CRLs were judged, RFC 3339.
  returned: always
  type: str
findings:
  description: All findings, those of instances, servers, locations and files.
  returned: always
  type: list
  elements: dict
  contains:
    code:
      description: Its stable code.
      returned: always
      type: str
      sample: proxy.not_verified
    severity:
      description: V(error), V(warning) or V(info).
      returned: always
      type: str
    message:
      description: What is wrong, one sentence.
      returned: always
      type: str
    remedy:
      description: What to do about it.
      returned: always
      type: str
    place:
      description: Where, a file and line, or host and port.
      returned: always
      type: str
"""

import os
import ssl
from datetime import datetime, timezone
from typing import Any

from ansible_collections.mutual_tls.nginx.plugins.module_utils._ansible import result
from ansible_collections.mutual_tls.nginx.plugins.module_utils._ansible.module import FactsModule
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import expiry
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.openssl_key import HostKeys
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.openssl_verify import Verifier
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.tls_info import Look, Options
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import _deps
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509.shelf import Shelf
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509.tls_files import TlsFiles

ARGUMENT_SPEC: dict[str, Any] = {
    "base": {"type": "path", "default": "/etc/nginx/mtls"},
    "pem": {"type": "bool", "default": False},
    "probe": {"type": "bool", "default": True},
    "log_minutes": {"type": "int", "default": 0},
    "timeout_s": {"type": "float", "default": 30},
    "probe_timeout_s": {"type": "float", "default": 3},
    "at": {"type": "str", "default": ""},
    "fail_on": {"type": "str", "choices": ["error", "warning", "never"], "default": "never"},
}


def missing() -> str:
    """What cannot be told without the library; "" where it is there."""
    if _deps.available():
        return ""
    return (
        "Signatures of CRLs and some keys are not checked: the Python library cryptography is missing"
        " (apt install python3-cryptography)."
    )


def look(params: dict[str, Any], now: datetime) -> dict[str, Any]:
    """The whole call. Raises MtlsError for whoever may not read what nginx reads."""
    if os.geteuid() != 0:
        raise MtlsError(
            "Keys, and what other processes were started with, are for root to read.",
            "nginx_tls_info",
            "Run it as root (become: true).",
        )
    at = expiry.parse_rfc3339(params["at"]) if params["at"] else now
    major, minor, _fix, patch, _status = ssl.OPENSSL_VERSION_INFO  # (3, 5, 0, 7, 0) is 3.5.7
    files = TlsFiles(at, Shelf(Verifier(), (major, minor, patch), HostKeys()))
    names = ("base", "pem", "probe", "timeout_s", "probe_timeout_s", "log_minutes")
    found = Look(Options(**{name: params[name] for name in names}), files).result()
    why = " ".join(filter(None, [missing(), found["why"]]))
    return {**found, "changed": False, "at": expiry.rfc3339(at), "why": why}


def main() -> None:
    module = FactsModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    now = datetime.now(timezone.utc)
    result.finish(module, lambda: look(module.params, now), module.params["fail_on"])


if __name__ == "__main__":
    main()
