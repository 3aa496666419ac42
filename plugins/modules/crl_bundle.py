#!/usr/bin/python
# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: crl_bundle
short_description: Build the CRL file of a trust bundle, and none by which nginx refuses everybody
version_added: 0.1.0
author:
  - The mutual_tls.nginx maintainers (@mutual-tls-nginx)
description:
  - Joins CRLs from files, contents and directories into one PEM file, for nginx's C(ssl_crl) or
    C(proxy_ssl_crl).
  - With a CRL file nginx wants a current CRL of every CA of a client's chain, the root included. Where one is
    missing or has ended, all clients of that CA get status 400, and C(nginx -t) says nothing. So each CA of
    O(trust) must have one here that its key has signed, and that lasts for O(min_hours).
  - Of several CRLs of one CA the newest is taken, by its number, then by its date. The others are left out
    and told. The same CRLs give the same bytes, in whatever order, form (PEM, DER, PKCS#7) and file they
    come.
  - Where two CAs of the bundle have one name, each of their CRLs needs an authority key identifier that tells
    them apart. Without it OpenSSL takes the CRL of the one for that of the other.
  - Delta, indirect and partial CRLs, and those with a critical extension that OpenSSL does not know, are left
    out beside a newer complete one, and refused else.
  - The file is replaced by one rename(2) and has its owner and mode from the first moment. When anything is
    refused, nothing is written, and all faults are told at once.
notes:
  - nginx reads the file when it is loaded or reloaded. This module reloads nothing.
  - An intermediate that clients send themselves needs a CRL as well, and so a place in O(trust), whether or
    not nginx's own bundle has it. O(on_foreign=refuse) is there to find it.
  - An expired CA needs no CRL, and one that is there is dropped. A self-signed certificate of a peer that is
    trusted itself needs one, for OpenSSL before 3.6 asks for it.
  - A CRL without a next update never ends for OpenSSL, and is taken.
  - In a O(sources[].directory) a file that holds no CRL, such as a README or a CA's certificate, is named in
    RV(dropped). A damaged CRL, a PKCS#12 store and a private key are refused, and so is a file with both CRLs
    and certificates.
  - O(path) may be none of O(trust) and O(sources), nor lie in one of their directories.
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
      - One line for each CRL, with issuer, number, dates and how many it revokes.
  idempotent:
    support: full
options:
  path:
    description: The file of the CRLs.
    type: path
    required: true
  trust:
    description:
      - The trust bundle that the CRLs are for. Each element has one of its three options.
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
  sources:
    description:
      - Where the CRLs come from. Each element has one of its three options.
      - Required with O(state=present).
    type: list
    elements: dict
    suboptions:
      path:
        description: A file on the host.
        type: path
      content:
        description: The CRLs themselves, PEM, or base64 of a binary file.
        type: str
      directory:
        description: A directory on the host, all of whose files are read, without its subdirectories.
        type: path
  min_hours:
    description:
      - For how many hours after O(at) each CRL must still be valid.
      - nginx refuses every client of a CA from the second of its CRL's next update on. Whoever runs this once
        a day has a day, with the default, to mend what keeps a CRL from being renewed. Lower it for a CA
        whose CRLs last no longer than that.
    type: int
    default: 24
  on_foreign:
    description:
      - What to do with a CRL of a CA that O(trust) does not have. V(refuse) fails, V(drop) leaves it out.
      - It may be that of an intermediate that clients send. Without it, all of its clients get status 400.
    type: str
    choices: [refuse, drop]
    default: refuse
  on_expired:
    description:
      - What to do with a CRL that has ended and is older than a current one of the same CA. V(refuse) fails,
        V(drop) leaves it out. Without such a current one it is always refused.
    type: str
    choices: [refuse, drop]
    default: drop
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
    description: Whether the file is to be there.
    type: str
    choices: [present, absent]
    default: present
  at:
    description: The time at which CRLs and CAs are judged, RFC 3339. Without it, the host's clock.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Refuse whom the CAs of our clients have revoked
  mutual_tls.nginx.crl_bundle:
    path: /etc/nginx/clients-crl.pem
    trust:
      - path: /etc/nginx/clients-ca.pem
    sources:
      - directory: /etc/pki/crls
    owner: root
    group: root
    mode: "0644"
  register: lists

- name: When the next one has to be there
  ansible.builtin.debug:
    msg: "the first CRL ends at {{ lists.earliest_next_update }}"

- name: A partner's CRL, from a file with those of others, that is made anew every twelve hours
  mutual_tls.nginx.crl_bundle:
    path: /etc/nginx/partner-crl.pem
    trust:
      - path: /etc/pki/partner.pem
    sources:
      - content: "{{ lookup('ansible.builtin.file', 'pki/crls.pem') }}"
    min_hours: 3
    on_foreign: drop
"""

RETURN = r"""
crls:
  description: What is in the file, in its order.
  returned: O(state=present)
  type: list
  elements: dict
  contains:
    issuer:
      description: The issuer, as nginx writes a name.
      type: str
      returned: always
      sample: CN=Clients CA 1,O=Example
    authority_key_id:
      description: The key identifier of the CA, hexadecimal digits in lower case. Null where it has none.
      type: str
      returned: always
    number:
      description: The CRL number. Null where it has none, or a longer one than RFC 5280 allows.
      type: int
      returned: always
      sample: 7
    this_update:
      description: From when on it counts, RFC 3339.
      type: str
      returned: always
      sample: "2026-11-21T07:00:00Z"
    next_update:
      description: When it ends, RFC 3339. Null where it never does.
      type: str
      returned: always
      sample: "2026-12-21T07:00:00Z"
    revoked:
      description: How many certificates it lists.
      type: int
      returned: always
      sample: 2
    sha256:
      description: SHA-256 of the CRL, hexadecimal digits in lower case.
      type: str
      returned: always
dropped:
  description:
    - What was left out. A CRL has the same keys as in RV(crls); for a file that holds none they are null.
  returned: O(state=present)
  type: list
  elements: dict
  contains:
    place:
      description: The file and the line of the block.
      type: str
      returned: always
      sample: /etc/pki/crls/old.pem:1
    reason:
      description: >-
        A code of the findings, such as V(crl.superseded), V(crl.expired), V(crl.foreign), or
        V(bundle.expired) where that CA has expired.
      type: str
      returned: always
      sample: crl.superseded
earliest_next_update:
  description: When the first of them ends, RFC 3339. Null where none ever does.
  returned: O(state=present)
  type: str
  sample: "2026-12-21T07:00:00Z"
findings:
  description:
    - All problems, each with C(code), C(severity), C(message), C(remedy) and C(place). When the module fails,
      those that it fails for come first.
  returned: O(state=present)
  type: list
  elements: dict
content:
  description: The file as text.
  returned: O(state=present)
  type: str
backup_file:
  description: The copy of the file that was there.
  returned: changed, with O(backup=true), where there was a file
  type: str
  sample: /etc/nginx/clients-crl.pem.4711.2026-11-21@10:50:12.345678~
"""

from datetime import datetime, timezone
from functools import partial
from typing import Any

from ansible_collections.mutual_tls.nginx.plugins.module_utils._ansible import result
from ansible_collections.mutual_tls.nginx.plugins.module_utils._ansible.module import FactsModule
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import expiry
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.crl_bundle import Policy
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import intake
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.kept import Kind, keep
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.target import Target
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.trust_sources import SourceReader
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import bundle, crl_bundle

POLICY: dict[str, Any] = {"type": "str", "choices": ["refuse", "drop"]}
ONE_SOURCE = [["path", "content", "directory"]]
SOURCES: dict[str, Any] = {
    "type": "list",
    "elements": "dict",
    "options": {
        "path": {"type": "path"},
        "content": {"type": "str", "no_log": True},
        "directory": {"type": "path"},
    },
    "mutually_exclusive": ONE_SOURCE,
    "required_one_of": ONE_SOURCE,
}
ARGUMENT_SPEC: dict[str, Any] = {
    "path": {"type": "path", "required": True},
    "trust": SOURCES,
    "sources": SOURCES,
    "min_hours": {"type": "int", "default": 24},
    "on_foreign": {**POLICY, "default": "refuse"},
    "on_expired": {**POLICY, "default": "drop"},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "mode": {"type": "raw"},
    "backup": {"type": "bool", "default": False},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "at": {"type": "str", "default": ""},
}


def build(params: dict[str, Any], now: datetime, target: Target) -> crl_bundle.CrlBundle:
    """The CRLs that the options ask for. Raises MtlsError for what is refused."""
    at = expiry.parse_rfc3339(params["at"]) if params["at"] else now
    found = {
        name: SourceReader(intake.read, target.is_same, target.lies_in).all(params[name], name)
        for name in ("trust", "sources")
    }
    given = {name: crl_bundle.Sources(one.given, one.found, one.unreadable) for name, one in found.items()}
    policy = Policy(params["min_hours"], params["on_foreign"], params["on_expired"])
    made = crl_bundle.build(given["trust"], given["sources"], at, policy)
    made.dropped.extend(crl_bundle.dropped_file(finding) for finding in found["sources"].passed_over)
    return made


def main() -> None:
    module = FactsModule(
        argument_spec=ARGUMENT_SPEC,
        required_if=[["state", "present", ["trust", "sources"]]],
        supports_check_mode=True,
    )
    params, now = module.params, datetime.now(timezone.utc)
    kind = Kind(partial(build, params, now), crl_bundle.told, crl_bundle.diff, bundle.refuse_keys)
    result.finish(module, lambda: keep(params, module.check_mode, now, kind))


if __name__ == "__main__":
    main()
