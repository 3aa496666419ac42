#!/usr/bin/python
# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: endpoint_info
short_description: Ask TLS and HTTP endpoints as a client would, and say what was seen
version_added: 0.1.0
author:
  - The mutual_tls.nginx maintainers (@mutual-tls-nginx)
description:
  - Makes one request for each probe, from the host it runs on, with a client certificate, without, or with a
    wrong one, and returns what was negotiated and served, the HTTP status, and what refused it.
  - nginx completes the handshake with a client that it then refuses by HTTP 400. So a refusal is told by
    RV(probes[].status) and RV(probes[].body_class), or by RV(probes[].alert) where the server ended the
    handshake.
  - A refused or failed probe is a result. The module fails only for options that are wrong and files that
    cannot be read.
  - By default the server's certificate is not verified, only reported. Give O(trust_path) or
    O(trust_content) to verify it.
  - What Python keeps to itself (whether a client certificate was asked for and by which authorities, the OCSP
    staple) is asked by the host's C(openssl s_client) in a handshake of its own, at the same address, without
    a certificate and without a request. RV(probes[].spoke) says who saw what.
notes:
  - Redirects are not followed, and no proxy of the environment is used.
  - nginx's C(proxy_ssl_verify) is stricter than O(trust_path) here. It takes no IP address for a name, and by
    default one intermediate at most.
  - Names of TLS alerts are in RFC 8446, B.2. Number 112 is C(unrecognized_name), what nginx sends for
    C(ssl_reject_handshake on); 40 is C(handshake_failure), 70 C(protocol_version), 48 C(unknown_ca),
    116 C(certificate_required), 120 C(no_application_protocol).
requirements:
  - cryptography is optional. Without it RV(probes[].served) has fingerprints only.
  - C(openssl) 1.1.1 or later is optional. Without it there is no RV(probes[].requested) and no
    RV(probes[].ocsp), and RV(probes[].why) says so.
extends_documentation_fragment:
  - mutual_tls.nginx.attributes.info
attributes:
  platform:
    details: C(*_content) needs Linux, where a file can be kept in memory.
options:
  host:
    description:
      - A host name, an IP address, or V(unix:/path) for a unix socket.
      - Required, here or in each element of O(probes).
    type: str
  port:
    description: The TCP port.
    type: int
    default: 443
  server_name:
    description:
      - The name to send in the handshake (SNI), and the name to verify.
      - Empty sends none. An IP address is never sent.
    type: str
    default: ""
  http_host:
    description: The Host header. Empty takes O(server_name), else O(host).
    type: str
    default: ""
  path:
    description: The request's path, with its query.
    type: str
    default: /
  method:
    description: The request's method.
    type: str
    default: GET
  headers:
    description:
      - More request headers.
      - C(Host), C(Connection) and those for framing are set by the module and refused here.
    type: dict
    default: {}
  tls:
    description: Whether to speak TLS. V(false) sends plain HTTP.
    type: bool
    default: true
  proxy_protocol:
    description: Whether to begin with a header of the PROXY protocol, version 1.
    type: bool
    default: false
  timeout_s:
    description:
      - Seconds for a whole request, from the name's resolution to the end of the answer.
      - O(session=resume) makes two requests, and O(requested=true) a handshake besides. Each has this time.
    type: float
    default: 5
  connect_timeout_s:
    description:
      - Seconds of O(timeout_s) until the connection is made, the name's resolution included.
      - Without it O(timeout_s) is the only limit.
    type: float
  handshake_timeout_s:
    description: Seconds of O(timeout_s) for the TLS handshake. Without it O(timeout_s) is the only limit.
    type: float
  response_timeout_s:
    description:
      - Seconds of O(timeout_s) for the request and its whole answer.
      - Without it O(timeout_s) is the only limit.
    type: float
  certificate_path:
    description:
      - PEM file on the host with the client's certificate, followed by its chain.
      - It may hold the key, too. Empty, with the other options of the identity, sends no certificate.
    type: path
  certificate_content:
    description: The same as text.
    type: str
  private_key_path:
    description: PEM file on the host with the key of the client's certificate.
    type: path
  private_key_content:
    description: The same as text.
    type: str
  private_key_passphrase:
    description:
      - Passphrase of an encrypted key.
      - Ansible masks it wherever it occurs in the result, so prefer O(private_key_passphrase_path).
    type: str
  private_key_passphrase_path:
    description: File on the host whose first line is the passphrase.
    type: path
  trust_path:
    description: PEM file on the host with the CAs by which to verify the server's chain.
    type: path
  trust_content:
    description: The same as text.
    type: str
  verify_hostname:
    description: Whether O(server_name) must be among the names of the certificate. Needs the CAs.
    type: bool
    default: false
  tls_version:
    description: The one version to offer. Without it every version that the host's OpenSSL allows.
    type: str
    choices: ["1.2", "1.3"]
  alpn:
    description:
      - The protocols to offer in the handshake (ALPN). The request is HTTP/1.1 in any case.
      - With V(http/1.1) a server that speaks HTTP/2 only says so by alert 120. nginx takes it with and
        without C(http2 on).
      - An empty list offers none, as nginx's own C(proxy_pass) does.
    type: list
    elements: str
    default: [http/1.1]
  session:
    description:
      - V(resume) makes a second request that offers the TLS session of the first, and reports the second.
      - Where the first gave no session, it is the one reported.
    type: str
    choices: [none, resume]
    default: none
  requested:
    description:
      - Whether to ask by C(openssl s_client), too, for RV(probes[].requested) and RV(probes[].ocsp).
      - It is a second handshake, or a third one with O(session=resume), and takes some hundredths of a
        second. nginx's log shows it at level info as a client that closed the connection.
      - The key never leaves Python. What is asked for comes before a client's certificate.
    type: bool
    default: true
  return_body:
    description: Whether to return the first 64 KiB of the answer's body.
    type: bool
    default: false
  pem:
    description: Whether to return the certificates that were served themselves.
    type: bool
    default: false
  probes:
    description:
      - Several probes, made in this order. What an element does not give is taken from the module's own
        option.
      - The options of the identity (certificate, key, passphrase) are inherited together or not at all, and
        so are those of the trust. So V("") as C(certificate_path) is a probe without a certificate.
      - Without this option the module's own options are the one probe.
    type: list
    elements: dict
    suboptions:
      name:
        description: A name to find the result by.
        type: str
        default: ""
      host:
        description: As O(host).
        type: str
      port:
        description: As O(port).
        type: int
      server_name:
        description: As O(server_name).
        type: str
      http_host:
        description: As O(http_host).
        type: str
      path:
        description: As O(path).
        type: str
      method:
        description: As O(method).
        type: str
      headers:
        description: As O(headers).
        type: dict
      tls:
        description: As O(tls).
        type: bool
      proxy_protocol:
        description: As O(proxy_protocol).
        type: bool
      timeout_s:
        description: As O(timeout_s).
        type: float
      connect_timeout_s:
        description: As O(connect_timeout_s).
        type: float
      handshake_timeout_s:
        description: As O(handshake_timeout_s).
        type: float
      response_timeout_s:
        description: As O(response_timeout_s).
        type: float
      certificate_path:
        description: As O(certificate_path).
        type: path
      certificate_content:
        description: As O(certificate_content).
        type: str
      private_key_path:
        description: As O(private_key_path).
        type: path
      private_key_content:
        description: As O(private_key_content).
        type: str
      private_key_passphrase:
        description: As O(private_key_passphrase).
        type: str
      private_key_passphrase_path:
        description: As O(private_key_passphrase_path).
        type: path
      trust_path:
        description: As O(trust_path).
        type: path
      trust_content:
        description: As O(trust_content).
        type: str
      verify_hostname:
        description: As O(verify_hostname).
        type: bool
      tls_version:
        description: As O(tls_version).
        type: str
        choices: ["1.2", "1.3"]
      alpn:
        description: As O(alpn).
        type: list
        elements: str
      session:
        description: As O(session).
        type: str
        choices: [none, resume]
      requested:
        description: As O(requested).
        type: bool
      return_body:
        description: As O(return_body).
        type: bool
"""

EXAMPLES = r"""
# By hand, in place of openssl s_client and curl. It says which page refused the client, not only that the
# handshake was completed, and which authorities the server asks for. Files are read on the host that asks.
#
#   ansible localhost -m mutual_tls.nginx.endpoint_info -a "host=a1.example.com \
#     server_name=orders.example.com verify_hostname=true \
#     certificate_path=/etc/pki/b1/fullchain.pem private_key_path=/etc/pki/b1/privkey.pem \
#     trust_path=/etc/pki/b1/trust.pem"

- name: Who is let in, and who is not
  mutual_tls.nginx.endpoint_info:
    host: a1.example.com
    server_name: orders.example.com
    certificate_path: /etc/nginx/mtls/current/proxy/credentials/client/fullchain.pem
    private_key_path: /etc/nginx/mtls/current/proxy/credentials/client/privkey.pem
    probes:
      - name: the good client
      - name: the good client, TLS 1.2
        tls_version: "1.2"
      - name: no certificate
        certificate_path: ""
      - name: no server name
        server_name: ""
        http_host: orders.example.com
      - name: plain HTTP
        tls: false
  register: seen

- name: The good client is let in, the others are refused
  ansible.builtin.assert:
    that:
      - seen.probes[0].status == 200
      - seen.probes[1].status == 200
      - seen.probes[2].body_class == 'no_certificate'
      - seen.probes[3].alert == 112
      - seen.probes[4].body_class == 'plain_http_to_tls'

- name: Is the certificate one that the callers accept
  mutual_tls.nginx.endpoint_info:
    host: 192.0.2.10
    server_name: orders.example.com
    trust_path: /etc/ssl/certs/example-ca.pem
    verify_hostname: true

- name: Which authorities does the server ask for, and what does its staple say
  mutual_tls.nginx.endpoint_info:
    host: a1.example.com
    server_name: orders.example.com
    connect_timeout_s: 1
    handshake_timeout_s: 2
  register: seen

- name: Our authority is among them
  ansible.builtin.assert:
    that:
      - seen.probes[0].requested.certificate
      - "'CN=mtls CA 1' in seen.probes[0].requested.names"
      - seen.probes[0].ocsp.status in ['none', 'good']
"""

RETURN = r"""
probes:
  description: The results, in the order of O(probes).
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The probe's name, as given.
      type: str
      returned: always
      sample: no certificate
    target:
      description: Whom it asked, with the port.
      type: str
      returned: always
      sample: a1.example.com:443
    address:
      description:
        - The address that the connection was made to, with the port; V(unix:/path) for a unix socket.
        - Empty without a connection.
      type: str
      returned: always
      sample: 192.0.2.10:443
    phase:
      description:
        - The step it ended in, one of V(resolve), V(connect), V(handshake), V(request), V(response), V(done).
        - V(done) means that a whole answer was read, whatever it says.
      type: str
      returned: always
      sample: done
    timed_out:
      description:
        - Whether the time was over. RV(probes[].phase) is what had not ended, RV(probes[].seconds) has how
          long it was waited for, and RV(probes[].error) names the option where it was not O(timeout_s).
      type: bool
      returned: always
      sample: false
    protocol:
      description: The TLS version, empty without TLS.
      type: str
      returned: always
      sample: TLSv1.3
    cipher:
      description: The cipher suite in OpenSSL's words, empty without TLS.
      type: str
      returned: always
      sample: TLS_AES_256_GCM_SHA384
    alpn:
      description: The protocol that the server chose out of O(alpn), empty where it chose none.
      type: str
      returned: always
      sample: http/1.1
    served:
      description: The certificates that the server sent, leaf first.
      type: list
      elements: dict
      returned: always
      contains:
        sha256:
          description: SHA-256 of the certificate.
          type: str
          returned: always
          sample: 5e0a2c3f0d6f8a0b6a1f6a2f3c9d7b1e4c8d9e0f1a2b3c4d5e6f708192a3b4c5
        pem:
          description: The certificate itself.
          type: str
          returned: when O(pem=true)
          sample: "-----BEGIN CERTIFICATE-----\n…"
        subject:
          description: The subject's name.
          type: str
          returned: when cryptography is installed
          sample: CN=orders.example.com
        issuer:
          description: The issuer's name.
          type: str
          returned: when cryptography is installed
          sample: CN=mtls CA 1
        serial:
          description: The serial number.
          type: str
          returned: when cryptography is installed
          sample: 1F
        san:
          description: The names it is for, as lists C(dns), C(ip), C(uri), C(email).
          type: dict
          returned: when cryptography is installed
          sample: {dns: [orders.example.com], ip: [], uri: [], email: []}
        not_before:
          description: Begin of validity, UTC.
          type: str
          returned: when cryptography is installed
          sample: "2026-11-01T00:00:00Z"
        not_after:
          description: End of validity, UTC.
          type: str
          returned: when cryptography is installed
          sample: "2027-01-30T00:00:00Z"
    served_complete:
      description:
        - Whether RV(probes[].served) is the whole chain.
        - Python before 3.10 shows the leaf only, and nothing of a handshake that failed. Then it is what
          C(openssl s_client) saw.
      type: bool
      returned: always
      sample: true
    ocsp:
      description:
        - The OCSP response that the server stapled. Its signature is not verified.
        - Null where RV(probes[].why) says why, without TLS, and with O(requested=false).
      type: dict
      returned: always
      contains:
        status:
          description:
            - V(none) without a staple, else what it says of the served certificate, V(good), V(revoked) or
              V(unknown).
            - V(error) where it cannot be read, says nothing of this certificate, or the responder had no
              answer.
          type: str
          returned: always
          sample: good
        this_update:
          description: When that was known to be so, RFC 3339 in UTC. Null where it does not say.
          type: str
          returned: always
          sample: "2026-11-20T00:00:00Z"
        next_update:
          description: When there will be newer knowledge, RFC 3339 in UTC. Null where it does not say.
          type: str
          returned: always
          sample: "2026-11-27T00:00:00Z"
    requested:
      description:
        - What the server asked of a client in the handshake.
        - Null where RV(probes[].why) says why, without TLS, and with O(requested=false).
      type: dict
      returned: always
      contains:
        certificate:
          description:
            - Whether a client certificate was asked for.
            - Not seen is one that is asked for later, by renegotiation or after the handshake of TLS 1.3.
              nginx does neither.
          type: bool
          returned: always
          sample: true
        names:
          description:
            - The acceptable authorities, RFC 4514; empty text for one that cannot be read.
            - An empty list means that any authority may do, or that the server does not say.
          type: list
          elements: str
          returned: always
          sample: ["CN=mtls CA 1"]
        names_der:
          description: The same names, DER in Base64, in the same order.
          type: list
          elements: str
          returned: always
          sample: [MBQxEjAQBgNVBAMMCW10bHMgQ0EgMQ==]
        signature_algorithms:
          description:
            - What the client may sign with, the names of IANA's registry TLS SignatureScheme in the server's
              order. C(0x) and four digits for one without a name there.
          type: list
          elements: str
          returned: always
          sample: [ecdsa_secp256r1_sha256, rsa_pss_rsae_sha256]
    status:
      description: The HTTP status, null without an answer.
      type: int
      returned: always
      sample: 400
    body_class:
      description:
        - What an answer from 400 on means, one of V(no_certificate), V(certificate_error),
          V(plain_http_to_tls), V(misdirected), V(forbidden), V(bad_gateway), V(gateway_timeout),
          V(internal_error), V(other). Empty where there is nothing to explain.
        - The first three are told by the title of nginx's page, or by its inner statuses 496, 495 and 497,
          which C(error_page 495 =495 /page) shows. Where there is neither (method HEAD, or a page of one's
          own), they are V(other).
        - V(internal_error) is the page of nginx itself for status 500, another 500 is V(other). A worker that
          cannot read a client certificate behind a variable answers so.
        - Without a status it is what came in place of HTTP/1.x. V(http2) is a server that speaks HTTP/2 only,
          which sent a frame, or took C(h2) after it had refused O(alpn) by alert 120. V(tls) is an
          alert of TLS that answers plain HTTP. V(not_http) is anything else.
        - V(tls_to_plain_http) is an answer of HTTP to a TLS handshake, V(not_tls) any other that is not TLS.
      type: str
      returned: always
      sample: no_certificate
    body:
      description: The first 64 KiB of the body.
      type: str
      returned: when O(return_body=true)
      sample: "ok\n"
    headers:
      description: Those headers of the answer that tell who answered, names in lower case.
      type: dict
      returned: always
      sample: {server: nginx, content-type: text/html}
    error:
      description: What went wrong, empty when nothing did.
      type: str
      returned: always
      sample: Connection refused
    alert:
      description: The number of the TLS alert that the server sent, null if it sent none.
      type: int
      returned: always
      sample: 112
    session_reused:
      description: Whether the session was resumed.
      type: bool
      returned: always
      sample: false
    findings:
      description:
        - What explains the result, the most specific first, empty where all is well. By what the one who asks
          can know, which is the certificate that it sends and what came back.
        - Without cryptography by what came back alone.
      type: list
      elements: dict
      returned: always
      contains:
        code:
          description: A stable code.
          type: str
          returned: always
          sample: endpoint.expired
        severity:
          description: V(error) or V(warning).
          type: str
          returned: always
          sample: error
        message:
          description: Who does what, and why.
          type: str
          returned: always
          sample: "The server refuses the certificate of the client: CN=b1 expired at 2026-11-01T00:00:00Z."
        evidence:
          description: By what that is known.
          type: list
          elements: str
          returned: always
          sample: ["asked a1.example.com:443, with a certificate: 400 (certificate_error)"]
        remedy:
          description: What to do.
          type: str
          returned: always
          sample: Renew it (rotate.yml), and see that nginx of the client is reloaded.
        confirm:
          description: A command that shows it, behind the host that it is for.
          type: str
          returned: always
          sample: "the client: openssl x509 -in FILE -noout -dates"
        place:
          description: File, or host and port.
          type: str
          returned: always
          sample: a1.example.com:443
    missing:
      description: What would have to be known to say more.
      type: list
      elements: str
      returned: always
      sample: ["The error log of the server."]
    seconds:
      description: How long each step took.
      type: dict
      returned: always
      sample: {resolve: 0.0004, connect: 0.0002, handshake: 0.0031, request: 0.0001, response: 0.0009}
    spoke:
      description: Who saw what, with the version of its OpenSSL.
      type: dict
      returned: always
      contains:
        exchange:
          description: Who made the request.
          type: str
          returned: always
          sample: python-ssl OpenSSL 3.5.7
        served:
          description: Who saw RV(probes[].served), empty where nobody did.
          type: str
          returned: always
          sample: python-ssl OpenSSL 3.5.7
        requested:
          description: Who saw RV(probes[].requested) and RV(probes[].ocsp), empty where nobody asked.
          type: str
          returned: always
          sample: openssl s_client 3.5.7
    why:
      description: Why RV(probes[].requested) and RV(probes[].ocsp) are missing, empty where nothing is.
      type: str
      returned: always
      sample: ""
"""

import ssl
from datetime import datetime, timezone
from functools import partial
from typing import Any

from ansible_collections.mutual_tls.nginx.plugins.module_utils._ansible.module import SecretModule
from ansible_collections.mutual_tls.nginx.plugins.module_utils._ansible.result import finish
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.endpoint_plan import merge
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import intake
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.credential_files import CredentialFiles
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.endpoint import ask
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.s_client import SClient
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import _deps, certificate, probe_findings

EXCLUSIVE = [
    ("certificate_path", "certificate_content"),
    ("private_key_path", "private_key_content"),
    ("private_key_passphrase", "private_key_passphrase_path"),
    ("trust_path", "trust_content"),
]

OPTIONS: dict[str, dict[str, Any]] = {
    "host": {"type": "str"},
    "port": {"type": "int", "default": 443},
    "server_name": {"type": "str", "default": ""},
    "http_host": {"type": "str", "default": ""},
    "path": {"type": "str", "default": "/"},
    "method": {"type": "str", "default": "GET"},
    "headers": {"type": "dict", "default": {}},
    "tls": {"type": "bool", "default": True},
    "proxy_protocol": {"type": "bool", "default": False},
    "timeout_s": {"type": "float", "default": 5},
    "connect_timeout_s": {"type": "float"},
    "handshake_timeout_s": {"type": "float"},
    "response_timeout_s": {"type": "float"},
    "certificate_path": {"type": "path", "no_log": False},
    "certificate_content": {"type": "str", "no_log": True},
    "private_key_path": {"type": "path", "no_log": False},
    "private_key_content": {"type": "str", "no_log": True},
    "private_key_passphrase": {"type": "str", "no_log": True},
    "private_key_passphrase_path": {"type": "path", "no_log": False},
    "trust_path": {"type": "path", "no_log": False},
    "trust_content": {"type": "str", "no_log": True},
    "verify_hostname": {"type": "bool", "default": False},
    "tls_version": {"type": "str", "choices": ["1.2", "1.3"]},
    "alpn": {"type": "list", "elements": "str", "default": ["http/1.1"]},
    "session": {"type": "str", "choices": ["none", "resume"], "default": "none"},
    "requested": {"type": "bool", "default": True},
    "return_body": {"type": "bool", "default": False},
}

# The same without defaults: what an element does not give must stay None, to be inherited.
PROBE = {
    "name": {"type": "str", "default": ""},
    **{
        name: {key: value for key, value in option.items() if key != "default"}
        for name, option in OPTIONS.items()
    },
}


def describe(der: bytes, pem: bool) -> dict[str, Any]:
    """What is said of a served certificate beside its fingerprint; but for *pem* nothing without
    cryptography."""
    whole = {"pem": ssl.DER_cert_to_PEM_cert(der)} if pem else {}
    if not _deps.available():
        return whole
    try:
        known = certificate.describe(der)
    except MtlsError:
        return whole
    told = ("subject", "issuer", "serial", "san", "not_before", "not_after")
    return {**{key: known[key] for key in told}, **whole}


def explained(entry: dict[str, Any], seen: dict[str, Any], files: CredentialFiles) -> dict[str, Any]:
    """The result of a probe with what explains it; without cryptography by what was seen alone."""
    spec = files.spec(entry) if _deps.available() else {}
    return {**seen, **probe_findings.explained(entry, seen, spec, datetime.now(timezone.utc))}


def main() -> None:
    module = SecretModule(
        argument_spec={
            **OPTIONS,
            "pem": {"type": "bool", "default": False},
            "probes": {
                "type": "list",
                "elements": "dict",
                "options": PROBE,
                "mutually_exclusive": EXCLUSIVE,
            },
        },
        mutually_exclusive=EXCLUSIVE,
        supports_check_mode=True,
    )
    common = dict(module.params)
    told, s_client = partial(describe, pem=common.pop("pem")), SClient()
    entries = merge(common, common.pop("probes"))
    files = CredentialFiles(intake.read, lambda path, what: [])
    finish(
        module,
        lambda: {
            "changed": False,
            "probes": [explained(entry, ask(entry, told, s_client), files) for entry in entries],
        },
    )


if __name__ == "__main__":
    main()
