#!/usr/bin/python
# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ca_bundle
short_description: Build a trust bundle from certificates of CAs, the same bytes from the same set
version_added: 0.1.0
author:
  - The mutual_tls.nginx maintainers (@mutual-tls-nginx)
description:
  - Joins CA certificates from files, contents and directories into one PEM file, for nginx's
    C(ssl_client_certificate) or C(proxy_ssl_trusted_certificate).
  - The same certificates give the same bytes, in whatever order, form (PEM, DER, PKCS#7) and file they come,
    and however often. They are sorted by name, then the newer one first.
  - What does not belong into a trust bundle is dropped or refused, and named. A private key is always
    refused, encrypted or not.
  - The file is replaced by one rename(2) and has its owner and mode from the first moment. When anything is
    refused, nothing is written.
notes:
  - In a O(sources[].directory) the names of files do not matter, what they hold does. Hidden files and
    subdirectories are not read. A file there that holds no certificate, such as a README, is named in
    RV(dropped); a damaged certificate, a PKCS#12 store and a private key are refused.
  - The bundle has plain C(CERTIFICATE) blocks. A CA whose C(TRUSTED CERTIFICATE) block rejects TLS is
    dropped, also when another source has it plain; one that rejects clients or servers only is refused.
  - O(path) may be neither one of O(sources) nor lie in a source directory. The bundle would be its own
    source, and a CA could never leave it.
  - A link at O(path) is refused, not followed and not replaced. A file there that holds a private key or is a
    PKCS#12 store is neither replaced nor removed.
extends_documentation_fragment:
  - mutual_tls.nginx.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - One line for each certificate, subject and SHA-256.
  idempotent:
    support: full
options:
  path:
    description: The file of the bundle.
    type: path
    required: true
  sources:
    description:
      - Where the certificates come from. Each element has one of its three options.
      - Required with O(state=present).
    type: list
    elements: dict
    suboptions:
      path:
        description: A file on the host.
        type: path
      content:
        description: The certificates themselves, PEM, or base64 of a binary file.
        type: str
      directory:
        description: A directory on the host, all of whose files are read, without its subdirectories.
        type: path
  on_expired:
    description:
      - What to do with an expired certificate. V(refuse) fails, V(drop) leaves it out, V(keep) takes it.
    type: str
    choices: [refuse, drop, keep]
    default: drop
  on_leaf:
    description:
      - What to do with the certificate of a client or server. It says CA:FALSE, or has no basic constraints
        and is not issued by itself.
    type: str
    choices: [refuse, drop, keep]
    default: refuse
  on_non_ca:
    description:
      - What to do with any other certificate that OpenSSL would not use as an issuer, for example because its
        key usage does not allow to sign certificates.
      - A self-signed root of version 1 counts as a CA.
    type: str
    choices: [refuse, drop, keep]
    default: refuse
  allow_pinned:
    description:
      - SHA-256 of self-signed certificates of clients or servers that are trusted on purpose, hexadecimal,
        with or without colons.
    type: list
    elements: str
    default: []
  owner:
    description: Name or number of the file's owner. Without it a new file is of who runs the module.
    type: str
  group:
    description: Name or number of the file's group. Without it a new file has that of who runs the module.
    type: str
  mode:
    description:
      - The file's mode as octal text, such as V("0640"). Without it the mode stays, and a new file is
        V("0644").
    type: raw
  backup:
    description: Whether to keep a copy of the file beside it before it is replaced or removed.
    type: bool
    default: false
  state:
    description: Whether the bundle is to be there.
    type: str
    choices: [present, absent]
    default: present
  at:
    description: The time at which certificates count as expired, RFC 3339. Without it, the host's clock.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Trust the CAs of our clients
  mutual_tls.nginx.ca_bundle:
    path: /etc/nginx/clients-ca.pem
    sources:
      - directory: /etc/pki/clients
      - content: "{{ lookup('ansible.builtin.file', 'pki/partner-ca.pem') }}"
    owner: root
    group: root
    mode: "0644"
  register: trust

- name: What nginx needs to be told
  ansible.builtin.debug:
    msg: "ssl_verify_depth {{ trust.verify_depth }}; the first CA expires at {{ trust.earliest_expiry }}"

- name: Accept one peer by its self-signed certificate, and fail when a CA has expired
  mutual_tls.nginx.ca_bundle:
    path: /etc/nginx/partner.pem
    sources:
      - path: /etc/pki/partner.pem
    on_expired: refuse
    allow_pinned:
      - "9F:86:D0:81:88:4C:7D:65:9A:2F:EA:A0:C5:5A:D0:15:A3:BF:4F:1B:2B:0B:82:2C:D1:5D:6C:15:B0:F0:0A:08"
"""

RETURN = r"""
certificates:
  description: What is in the bundle, in its order.
  returned: O(state=present)
  type: list
  elements: dict
  contains:
    subject:
      description: The subject, as nginx writes it.
      type: str
      returned: always
      sample: CN=Clients CA 1,O=Example
    sha256:
      description: SHA-256 of the certificate, hexadecimal digits in lower case.
      type: str
      returned: always
    not_after:
      description: The end of its validity, RFC 3339. Null where it cannot be read.
      type: str
      returned: always
      sample: "2031-01-01T00:00:00Z"
    is_ca:
      description: Whether OpenSSL would use it as an issuer.
      type: bool
      returned: always
    path_length:
      description: How many CAs may stand below it, null where it does not say.
      type: int
      returned: always
dropped:
  description:
    - What was left out. A certificate has the same keys as in RV(certificates); for a file that holds none
      they are null.
  returned: O(state=present)
  type: list
  elements: dict
  contains:
    place:
      description: The file and the line of the block.
      type: str
      returned: always
      sample: /etc/pki/clients/old.pem:1
    reason:
      description: A code of the findings, such as V(bundle.expired), V(bundle.leaf) or V(file.not_regular).
      type: str
      returned: always
      sample: bundle.expired
verify_depth:
  description: The C(ssl_verify_depth) that a chain to one of these CAs may need, from 1 to 10.
  returned: O(state=present)
  type: int
  sample: 1
earliest_expiry:
  description: When the first of them expires, RFC 3339. Null where no date can be read.
  returned: O(state=present)
  type: str
  sample: "2031-01-01T00:00:00Z"
findings:
  description:
    - All problems, each with C(code), C(severity), C(message), C(remedy) and C(place). When the module fails,
      those that it fails for come first.
  returned: O(state=present)
  type: list
  elements: dict
backup_file:
  description: The copy of the file that was there.
  returned: changed, with O(backup=true), where there was a file
  type: str
  sample: /etc/nginx/clients-ca.pem.4711.2026-11-21@10:50:12.345678~
"""

from datetime import datetime, timezone
from functools import partial
from typing import Any

from ansible_collections.mutual_tls.nginx.plugins.module_utils._ansible import result
from ansible_collections.mutual_tls.nginx.plugins.module_utils._ansible.module import FactsModule
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import expiry
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import intake
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.kept import Kind, keep
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.target import Target
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.trust_sources import SourceReader
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import bundle

POLICY: dict[str, Any] = {"type": "str", "choices": ["refuse", "drop", "keep"]}
ONE_SOURCE = [["path", "content", "directory"]]
ARGUMENT_SPEC: dict[str, Any] = {
    "path": {"type": "path", "required": True},
    "sources": {
        "type": "list",
        "elements": "dict",
        "options": {
            "path": {"type": "path"},
            "content": {"type": "str", "no_log": True},
            "directory": {"type": "path"},
        },
        "mutually_exclusive": ONE_SOURCE,
        "required_one_of": ONE_SOURCE,
    },
    "on_expired": {**POLICY, "default": "drop"},
    "on_leaf": {**POLICY, "default": "refuse"},
    "on_non_ca": {**POLICY, "default": "refuse"},
    "allow_pinned": {"type": "list", "elements": "str", "default": []},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "mode": {"type": "raw"},
    "backup": {"type": "bool", "default": False},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "at": {"type": "str", "default": ""},
}


def build(params: dict[str, Any], now: datetime, target: Target) -> bundle.Bundle:
    """The bundle that the options ask for. Raises MtlsError for what is refused."""
    at = expiry.parse_rfc3339(params["at"]) if params["at"] else now
    found = SourceReader(intake.read, target.is_same, target.lies_in).all(params["sources"])
    policy = {name: params[name] for name in ("on_expired", "on_leaf", "on_non_ca", "allow_pinned")}
    made = bundle.build(
        found.given, at, found=found.found, refused=found.unreadable, place="sources", **policy
    )
    made.dropped.extend(bundle.dropped_file(finding) for finding in found.passed_over)
    return made


def main() -> None:
    module = FactsModule(
        argument_spec=ARGUMENT_SPEC,
        required_if=[["state", "present", ["sources"]]],
        supports_check_mode=True,
    )
    params, now = module.params, datetime.now(timezone.utc)
    kind = Kind(partial(build, params, now), bundle.told, bundle.diff, bundle.refuse_keys)
    result.finish(module, lambda: keep(params, module.check_mode, now, kind))


if __name__ == "__main__":
    main()
