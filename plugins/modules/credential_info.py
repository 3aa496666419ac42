#!/usr/bin/python
# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: credential_info
short_description: Say what certificates, keys, chains and CRLs are, and whether nginx accepts them
version_added: 0.1.0
author:
  - The mutual_tls.nginx maintainers (@mutual-tls-nginx)
description:
  - Reads any number of credentials in one call and returns facts, verdicts and findings. A finding is one
    problem with a stable code, a severity, a sentence, a remedy and a place.
  - Files may be PEM, DER, PKCS#7 or PKCS#12. Whatever they hold, an unreadable or hostile file is a finding
    and never stops the others.
  - The verdicts are those of the host's OpenSSL, with which nginx is linked. What the rules of this module
    and the library C(cryptography) cannot decide is put to the command C(openssl); RV(credentials[].engines)
    says who spoke.
  - With O(base) it also reads all that M(mutual_tls.nginx.release) has installed there, and asks nginx what
    it serves.
  - It changes nothing and takes no lock.
notes:
  - The module fails only for wrong options, or when O(fail_on) says so. Without O(fail_on), look at
    RV(findings).
  - A O(credentials[].private_key_content) and a passphrase are part of the call. Without pipelining
    (C(ansible_pipelining=true)) Ansible writes the call to a temporary file on the host. Name the files by
    path where they are on the host anyway.
requirements:
  - cryptography >= 3.3 (Debian package C(python3-cryptography))
  - the command C(openssl), for what the library cannot decide
extends_documentation_fragment:
  - mutual_tls.nginx.attributes.info
options:
  credentials:
    description:
      - What to look at. Each of the files is given by its path on the host or by its content, PEM, or base64
        of a binary file.
      - Without any file an element is empty, and no fault.
      - One of this option and O(base) is required.
    type: list
    elements: dict
    suboptions:
      name:
        description: What to call it in the result.
        type: str
        required: true
      certificate_path:
        description:
          - The certificate. The first one in the file counts, as nginx loads it; the others are its chain.
        type: path
      certificate_content:
        description: The same inline.
        type: str
      private_key_path:
        description: The private key of the certificate.
        type: path
      private_key_content:
        description: The same inline.
        type: str
      private_key_passphrase:
        description: The passphrase of the private key, or of a PKCS#12 store. One too many is no fault.
        type: str
      private_key_passphrase_path:
        description: A file on the host whose first line is the passphrase.
        type: path
      chain_path:
        description: More certificates of the chain, after those of O(credentials[].certificate_path).
        type: path
      chain_content:
        description: The same inline.
        type: str
      trust_path:
        description: The trust bundle of the other side, which is to accept the certificate.
        type: path
      trust_content:
        description: The same inline.
        type: str
      crl_path:
        description:
          - The CRLs that the other side looks at. Each CA of the chain needs one, the root included. Delta
            CRLs, indirect ones and those for some reasons only are told, and never count as a CA's CRL.
        type: path
      crl_content:
        description: The same inline.
        type: str
      purpose:
        description: What the certificate is used for. With V(any) that is not looked at.
        type: str
        choices: [server, client, any]
        default: any
      hostnames:
        description:
          - DNS names and IP addresses that the certificate must be valid for. A name with letters beyond
            ASCII is compared as it is written, so give its C(xn--) form.
        type: list
        elements: str
        default: []
      verify_depth:
        description: How many intermediates the other side allows. Without it V(1), nginx's default.
        type: int
      min_days:
        description: Warn when fewer days are left. Without it, when a third of the lifetime is left.
        type: int
  base:
    description:
      - The directory of releases (C(nginx_mtls_base)), to look at what is installed there and what nginx
        serves. The installed credentials follow those of O(credentials) in the result.
      - A host with nothing installed is no fault.
      - Run it as root (C(become)), who alone may read the releases.
    type: path
  pem:
    description:
      - Also return the files of the installed credentials that are no secret, RV(credentials[].pem), so that
        the controller can judge them beside those of other hosts (P(mutual_tls.nginx.mtls_edges#filter)).
    type: bool
    default: false
  at:
    description: The time at which everything is judged, RFC 3339. Without it, the host's clock.
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
- name: Look at what came from the security team before it goes anywhere
  mutual_tls.nginx.credential_info:
    credentials:
      - name: orders
        certificate_path: /root/orders.pem
        private_key_path: /root/orders.key
        private_key_passphrase_path: /root/orders.pass
        trust_path: /root/clients-trust-this.pem
        purpose: server
        hostnames: [orders.example.com]
        min_days: 30
    fail_on: error
  register: seen

- name: Would it have been valid last year
  mutual_tls.nginx.credential_info:
    at: "2025-06-01T00:00:00Z"
    credentials:
      - name: orders
        certificate_content: "{{ lookup('ansible.builtin.file', 'orders.pem') }}"

- name: What is installed here, and does nginx serve it
  mutual_tls.nginx.credential_info:
    base: /etc/nginx/mtls
  become: true
  register: installed

- name: All problems, what, where, and what to do
  ansible.builtin.debug:
    msg: "{{ item.place }}: {{ item.message }} {{ item.remedy }}"
  loop: "{{ installed.findings }}"
  loop_control:
    label: "{{ item.code }}"
"""

RETURN = r"""
credentials:
  description:
    - One element for each of O(credentials), in the same order, then one for each installed credential.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
      returned: always
    part:
      description: The half of the release, V(server) or V(proxy). Null for an element of O(credentials).
      type: str
      returned: always
    matches:
      description:
        - Whether the private key belongs to the first certificate.
        - Null without a key, when one of the two cannot be read, and for a kind of key that nothing on the
          host can compare.
      type: bool
      returned: always
    private_key:
      description: The private key. Null without one that can be read.
      type: dict
      returned: always
      contains:
        type:
          description:
            - Its kind, such as V(rsa), V(rsa-pss), V(ec), V(ed25519) or V(dsa), or V(unknown).
          type: str
          returned: always
          sample: ec
        size:
          description: Its bits, as OpenSSL counts them, 0 for an unknown kind.
          type: int
          returned: always
          sample: 256
        encrypted:
          description: Whether the file has it encrypted.
          type: bool
          returned: always
        public_key_sha256:
          description:
            - SHA-256 of its public half, a DER SubjectPublicKeyInfo with EC points uncompressed, hexadecimal
              digits in lower case.
          type: str
          returned: always
    certificate:
      description: The first certificate. Null without one that can be read.
      type: dict
      returned: always
      contains:
        subject:
          description: The subject, as nginx writes it.
          type: str
          returned: always
        issuer:
          description: The issuer, as nginx writes it.
          type: str
          returned: always
        serial:
          description: The serial number, hexadecimal digits in upper case, with a minus sign if negative.
          type: str
          returned: always
        not_before:
          description: The beginning of its validity, RFC 3339. Null where it cannot be read.
          type: str
          returned: always
        not_after:
          description: The end of its validity, RFC 3339. Null where it cannot be read.
          type: str
          returned: always
        days_left:
          description: Whole days until then, negative when it has expired. Null where it cannot be read.
          type: int
          returned: always
        san:
          description: The names it is for, as lists C(dns), C(ip), C(uri) and C(email).
          type: dict
          returned: always
        is_ca:
          description: Whether OpenSSL would use it as an issuer.
          type: bool
          returned: always
        key_usage:
          description: Its key usages.
          type: list
          elements: str
          returned: always
        extended_key_usage:
          description: Its extended key usages.
          type: list
          elements: str
          returned: always
        sha256:
          description: SHA-256 of the certificate, hexadecimal digits in lower case.
          type: str
          returned: always
        format:
          description: The form of its file, such as V(pem), V(der), V(pkcs7) or V(pkcs12).
          type: str
          returned: always
    chain:
      description: What would be sent. Null without a certificate that can be read.
      type: dict
      returned: always
      contains:
        ordered:
          description: Whether each certificate is followed by its issuer.
          type: bool
          returned: always
        complete:
          description:
            - Whether only a trusted root is missing.
            - Null where no root is sent and no trust bundle given.
          type: bool
          returned: always
        leaf_first:
          description: Whether the first certificate has issued none of the others.
          type: bool
          returned: always
        has_root:
          description: Whether a root is among them.
          type: bool
          returned: always
        duplicates:
          description: How many repeat an earlier one.
          type: int
          returned: always
        extraneous:
          description: SHA-256 of those that are no part of the chain.
          type: list
          elements: str
          returned: always
        sha256:
          description: SHA-256 of all, in the order in which they would be sent.
          type: list
          elements: str
          returned: always
    verifies:
      description:
        - Whether nginx with this trust bundle would accept the certificate; path, purpose, depth, dates and
          CRLs, not names.
        - False where there is a trust bundle, and the certificate cannot be read.
        - Null without a trust bundle, and when nothing on the host can tell (V(chain.undecided)).
      type: bool
      returned: always
    engines:
      description:
        - Who gave the verdicts RV(credentials[].matches) and RV(credentials[].verifies), such as
          V(cryptography 43.0.0) or V(openssl 3.5.4). The first stands for the rules of this module with that
          library. Null without a verdict, and for a certificate that cannot be read.
      type: dict
      returned: always
      sample: {matches: cryptography 43.0.0, verifies: cryptography 43.0.0}
    hostnames:
      description:
        - For each of O(credentials[].hostnames) whether OpenSSL finds it in the certificate; a DNS name in
          the common name only where there is no DNS name at all, an IP address among the addresses only.
          Where nginx as a client would decide otherwise on an address, a finding C(name.ip_address) says so.
      type: dict
      returned: always
      sample: {orders.example.com: true}
    trust:
      description:
        - The certificates that an installed credential accepts from the other side.
        - Null for an element of O(credentials).
      type: list
      elements: dict
      returned: always
      contains:
        subject:
          description: The subject.
          type: str
          returned: always
        sha256:
          description: SHA-256 of the certificate.
          type: str
          returned: always
        not_after:
          description: The end of its validity.
          type: str
          returned: always
        is_ca:
          description: Whether OpenSSL would use it as an issuer.
          type: bool
          returned: always
        path_length:
          description: How many CAs may stand below it, null where it does not say.
          type: int
          returned: always
    pem:
      description:
        - What is no secret of an installed credential, never a key.
        - Null without O(pem), and for an element of O(credentials).
      type: dict
      returned: always
      contains:
        certificate:
          description: Its certificate and chain as they are sent, PEM.
          type: str
          returned: always
        trust:
          description: The authorities that it accepts from the other side, PEM. Null where it has none.
          type: str
          returned: always
        crl:
          description: Their CRLs, PEM. Null where it has none.
          type: str
          returned: always
        verify_depth:
          description: How many intermediates it allows. Null for A's probe identity, which verifies nobody.
          type: int
          returned: always
    served:
      description:
        - What nginx serves for an installed credential, one element for each listen address and site.
        - Null for an element of O(credentials).
      type: list
      elements: dict
      returned: always
      contains:
        address:
          description: Who was asked.
          type: str
          returned: always
          sample: 127.0.0.1:443
        server_name:
          description: By which name, empty without one.
          type: str
          returned: always
        release:
          description: The release that nginx runs, null where it does not say.
          type: str
          returned: always
        sha256:
          description: SHA-256 of the certificate that it serves, null where it serves none.
          type: str
          returned: always
        subject:
          description: Its subject.
          type: str
          returned: always
        not_after:
          description: The end of its validity.
          type: str
          returned: always
        error:
          description: Why there was no answer, empty where there was one.
          type: str
          returned: always
          sample: Connection refused
    findings:
      description: What is wrong with it.
      type: list
      elements: dict
      returned: always
      contains: &finding
        code:
          description: Its code, stable. All are in the page C(docs/findings.md) of the collection.
          type: str
          returned: always
          sample: chain.missing_intermediate
        severity:
          description: V(error), V(warning) or V(info).
          type: str
          returned: always
          sample: error
        message:
          description: One sentence.
          type: str
          returned: always
        remedy:
          description: What to do about it.
          type: str
          returned: always
        place:
          description: File and line, the option of a content, or host and port.
          type: str
          returned: always
          sample: /root/orders.pem:1
findings:
  description:
    - All of them, with C(credential) and C(part), the name and the part of the element that each belongs to.
  returned: always
  type: list
  elements: dict
  contains: *finding
at:
  description: The time at which all this was judged, O(at) or that of the host, RFC 3339.
  returned: always
  type: str
installed:
  description: What is below O(base). Null without O(base).
  returned: always
  type: dict
  contains:
    base:
      description: The directory.
      type: str
      returned: always
    exists:
      description: Whether it is there.
      type: bool
      returned: always
    release:
      description: The id of the live release, null where there is none.
      type: str
      returned: always
    releases:
      description: The ids of all releases, the newest first.
      type: list
      elements: str
      returned: always
    state:
      description: The content of C(state.json), null where there is none that can be read.
      type: dict
      returned: always
      sample: {step: stable, from: empty, to: 0a1b2c3d4e5f6071, reason: "", prepared: "", back: false}
    prepared:
      description:
        - The credentials that a release changes which was checked and waits for its switch, as in
          RV(credentials).
        - Null where none waits, or not all of it is there any more.
      type: list
      elements: dict
      returned: always
    parts:
      description: The halves of the release that are there.
      type: list
      elements: str
      returned: always
    sites:
      description: The sites of Server A in the live release.
      type: list
      elements: dict
      returned: always
      contains:
        name:
          description: The name of the site.
          type: str
          returned: always
        server_names:
          description: Its server names.
          type: list
          elements: str
          returned: always
        listen:
          description: Addresses and ports on which it speaks TLS, such as V(*:443).
          type: list
          elements: str
          returned: always
        credential:
          description: Its credential. Null where it includes none.
          type: str
          returned: always
        verify:
          description: Its C(ssl_verify_client).
          type: str
          returned: always
        protocols:
          description: Its C(ssl_protocols), empty where it says nothing.
          type: list
          elements: str
          returned: always
        curves:
          description: Its C(ssl_ecdh_curve), empty where it says nothing.
          type: list
          elements: str
          returned: always
        allow:
          description:
            - Who is let in of those who verify, elements with C(dn), C(sha1), or C(issuer) and C(serial);
              empty for everybody. Null where the text of the site is not the role's.
          type: list
          elements: dict
          returned: always
        probes:
          description: SHA-1 of probe identities that are refused outside the probe path.
          type: list
          elements: str
          returned: always
    routes:
      description: The routes of Server B in the live release.
      type: list
      elements: dict
      returned: always
      contains:
        name:
          description: The name of the route.
          type: str
          returned: always
        server_name:
          description: The name by which Server A is asked and verified.
          type: str
          returned: always
        credential:
          description: Its credential. Null where it includes none.
          type: str
          returned: always
        servers:
          description: Host and port of each server.
          type: list
          elements: str
          returned: always
    pending:
      description: Credentials that wait for a certificate, as part and name.
      type: list
      elements: str
      returned: always
      sample: [server/server]
    next_run:
      description: What the next run would mend before its own work, empty when nothing.
      type: str
      returned: always
"""

import ssl
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

from ansible_collections.mutual_tls.nginx.plugins.module_utils._ansible import result
from ansible_collections.mutual_tls.nginx.plugins.module_utils._ansible.module import FactsModule
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import expiry
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import installed, intake
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.credential_files import (
    SLOTS,
    CredentialFiles,
)
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.openssl_key import HostKeys
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.openssl_verify import Verifier
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import (
    _deps,
    certificate,
    credential,
    peers,
)
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509.shelf import Shelf

SECRET = {"type": "str", "no_log": True}
PLACE = {"type": "path", "no_log": False}
CREDENTIAL_SPEC: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "certificate_path": PLACE,
    "certificate_content": SECRET,
    "private_key_path": PLACE,
    "private_key_content": SECRET,
    "private_key_passphrase": SECRET,
    "private_key_passphrase_path": PLACE,
    "chain_path": PLACE,
    "chain_content": SECRET,
    "trust_path": PLACE,
    "trust_content": SECRET,
    "crl_path": PLACE,
    "crl_content": SECRET,
    "purpose": {"type": "str", "choices": ["server", "client", "any"], "default": "any"},
    "hostnames": {"type": "list", "elements": "str", "default": []},
    "verify_depth": {"type": "int"},
    "min_days": {"type": "int"},
}
EXCLUSIVE = [
    *[[f"{slot}_path", f"{slot}_content"] for slot in SLOTS],
    ["private_key_passphrase", "private_key_passphrase_path"],
]
ARGUMENT_SPEC: dict[str, Any] = {
    "credentials": {
        "type": "list",
        "elements": "dict",
        "no_log": False,
        "options": CREDENTIAL_SPEC,
        "mutually_exclusive": EXCLUSIVE,
    },
    "base": {"type": "path"},
    "pem": {"type": "bool", "default": False},
    "at": {"type": "str", "default": ""},
    "fail_on": {"type": "str", "choices": ["error", "warning", "never"], "default": "never"},
}


NOT_INSTALLED = {"part": None, "trust": None, "pem": None, "served": None}


def listed(params: dict[str, Any], at: datetime, shelf: Shelf) -> Iterator[dict[str, Any]]:
    """The elements for the option ``credentials``."""
    files = CredentialFiles(intake.read, intake.private_key_findings)
    for given in params["credentials"] or []:
        yield {**credential.examine(files.spec(given), at, shelf), **NOT_INSTALLED}


def on_disk(
    found: installed.Installed, at: datetime, shelf: Shelf, with_pem: bool
) -> Iterator[dict[str, Any]]:
    """The elements for what is installed, with what nginx serves."""
    served = installed.Served(found, described)
    for part, spec in installed.specs(found):
        element = credential.examine(spec, at, shelf)
        trust, about_peers = peers.examine(spec, at, shelf)
        sha256 = (element["certificate"] or {}).get("sha256", "")
        rows, said = served.of(part, spec["name"], sha256)
        element["findings"] += [*about_peers, *(finding.to_dict() for finding in said)]
        pem = installed.public(found, part, spec["name"]) if with_pem else None
        yield {**element, "part": part, "trust": trust, "pem": pem, "served": rows}


def waiting(found: installed.Installed, at: datetime, shelf: Shelf, with_pem: bool) -> Any:
    """The same for those that are prepared, which nobody serves; None where nothing is."""
    other = installed.prepared(found) if found.source else None
    if other is None:
        return None
    return [
        {
            **credential.examine(spec, at, shelf),
            "part": part,
            "pem": installed.public(other, part, spec["name"]) if with_pem else None,
        }
        for part, spec in installed.specs(other)
        if (part, spec["name"]) in other.facts["own"]
    ]


def described(der: bytes) -> dict[str, Any]:
    """A served certificate; nothing where it cannot be read."""
    try:
        return certificate.describe(der)
    except MtlsError:
        return {}


def look(params: dict[str, Any], now: datetime) -> dict[str, Any]:
    """The whole call: facts and findings of everything that is named."""
    at = expiry.parse_rfc3339(params["at"]) if params["at"] else now
    found = installed.look(params["base"]) if params["base"] else None
    if not found or found.source or params["credentials"]:  # a bare host has no library, and nothing to read
        _deps.require(_deps.READ_MINIMUM)
    major, minor, _fix, patch, _status = ssl.OPENSSL_VERSION_INFO  # (3, 5, 0, 7, 0) is 3.5.7
    shelf = Shelf(Verifier(), (major, minor, patch), HostKeys())
    elements = list(listed(params, at, shelf))
    flat: list[dict[str, Any]] = []
    if found is not None:
        elements += on_disk(found, at, shelf, params["pem"])
        found.facts["prepared"] = waiting(found, at, shelf, params["pem"])
        flat += [{**finding.to_dict(), "credential": "", "part": None} for finding in found.findings]
    flat += [
        {**said, "credential": one["name"], "part": one["part"]}
        for one in elements
        for said in one["findings"]
    ]
    return {
        "changed": False,
        "at": expiry.rfc3339(at),
        "credentials": elements,
        "findings": flat,
        "installed": found.facts if found else None,
    }


def main() -> None:
    module = FactsModule(
        argument_spec=ARGUMENT_SPEC,
        required_one_of=[["credentials", "base"]],
        supports_check_mode=True,
    )
    now = datetime.now(timezone.utc)
    result.finish(module, lambda: look(module.params, now), module.params["fail_on"])


if __name__ == "__main__":
    main()
