#!/usr/bin/python
# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: credential_request
short_description: Make keys and certificate requests for the credentials of a host
version_added: 0.1.0
description:
  - Compares each credential with the one in the live release and says whether it needs a new certificate,
    and why.
  - For each that does, it makes a private key on the host, below C(<base>/pending), and a certificate
    request (PKCS#10). The key stays there until M(mutual_tls.nginx.release) takes it into a release; only the
    request is returned.
  - A key and request that wait there already are used again as long as they fit. Then nothing is changed,
    although the certificate is still needed.
  - A certificate that merely expires soon is no reason. Rotation asks for those with O(credentials[].force).
author:
  - The mutual_tls.nginx maintainers (@mutual-tls-nginx)
requirements:
  - cryptography >= 38 (Debian package C(python3-cryptography)); not in check mode on a host without a release
extends_documentation_fragment:
  - mutual_tls.nginx.attributes
attributes:
  check_mode:
    support: full
    details:
      - Nothing is written, so RV(credentials[].request) is null, and the result is changed when a certificate
        is needed.
  diff_mode:
    support: full
  idempotent:
    support: full
    details:
      - With O(credentials[].force) too, as long as the request waits.
options:
  base:
    description:
      - The directory of releases and pending keys. It is made (mode C(0755)) when it is missing.
    type: path
    default: /etc/nginx/mtls
  issuer_name:
    description:
      - The name of the private CA that issues these certificates. A live certificate that it did not issue
        (the common name of whose issuer does not begin with the name and C( CA )) is replaced.
      - Without it the issuer does not matter.
    type: str
    default: ""
  at:
    description:
      - The time at which certificates are judged, RFC 3339. Without it, the host's clock.
    type: str
    default: ""
  credentials:
    description: The credentials of this host.
    type: list
    elements: dict
    required: true
    suboptions:
      part:
        description: The half of the release that it belongs to.
        type: str
        choices: [server, proxy]
        required: true
      name:
        description: The name of the credential.
        type: str
        required: true
      purpose:
        description: What the certificate is for.
        type: str
        choices: [server, client]
        required: true
      common_name:
        description:
          - The common name, at most 64 characters. Empty for none, if there are O(credentials[].hostnames).
        type: str
        default: ""
      hostnames:
        description: The subject alternative names, DNS names or IP addresses. They are compared as a set.
        type: list
        elements: str
        default: []
      key_type:
        description: The kind of key.
        type: str
        choices: [p256, p384, rsa2048, rsa3072, rsa4096, ed25519]
        default: p256
      reuse:
        description: Whether the new certificate is for the live key, if that is of the right kind.
        type: bool
        default: false
      force:
        description: Whether a new certificate is wanted although the live one would do.
        type: bool
        default: false
"""

EXAMPLES = r"""
- name: Ask for what the host needs
  mutual_tls.nginx.credential_request:
    issuer_name: mtls
    credentials:
      - part: server
        name: server
        purpose: server
        common_name: orders.example.com
        hostnames: [orders.example.com]
      - part: server
        name: probe
        purpose: client
        common_name: mtls-probe.a1.example.com
  register: requests

- name: What is to be signed
  ansible.builtin.debug:
    msg: "{{ requests.credentials | selectattr('needed') | map(attribute='name') }}"
"""

RETURN = r"""
credentials:
  description: One element for each of O(credentials), in the same order.
  returned: success
  type: list
  elements: dict
  contains:
    part:
      description: The half of the release.
      type: str
      returned: always
    name:
      description: The name of the credential.
      type: str
      returned: always
    needed:
      description: Whether a new certificate is needed.
      type: bool
      returned: always
    reason:
      description:
        - Why, or empty when none is needed.
        - V(no_certificate), V(unreadable) (a file cannot be read, or key and certificate are no pair),
          V(expired), V(names), V(key_type), V(purpose), V(issuer) or V(forced).
      type: str
      returned: always
    request:
      description: The request, PEM. Null when none is needed, and in check mode.
      type: str
      returned: always
    private_key_path:
      description: Where the key waits. Null when none is needed, and in check mode.
      type: str
      returned: always
    public_key_sha256:
      description: SHA-256 of the public key (SubjectPublicKeyInfo) of the request. Null without one.
      type: str
      returned: always
    live:
      description: The certificate in the live release. Null when there is none that can be used.
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
          description: The serial number, hexadecimal digits in upper case.
          type: str
          returned: always
        not_after:
          description: The end of its validity, RFC 3339.
          type: str
          returned: always
        sha256:
          description: SHA-256 of the certificate, hexadecimal digits in lower case.
          type: str
          returned: always
        trust:
          description: The certificates that it accepts from the other side.
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
"""

from datetime import datetime, timezone
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mutual_tls.nginx.plugins.module_utils._ansible import result
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import expiry
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.request import Wanted, reason
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import pending
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import _deps, request

CREDENTIAL_SPEC = {
    "part": {"type": "str", "choices": ["server", "proxy"], "required": True},
    "name": {"type": "str", "required": True},
    "purpose": {"type": "str", "choices": ["server", "client"], "required": True},
    "common_name": {"type": "str", "default": ""},
    "hostnames": {"type": "list", "elements": "str", "default": []},
    "key_type": {
        "type": "str",
        "choices": ["p256", "p384", "rsa2048", "rsa3072", "rsa4096", "ed25519"],
        "default": "p256",
        "no_log": False,
    },
    "reuse": {"type": "bool", "default": False},
    "force": {"type": "bool", "default": False},
}
ARGUMENT_SPEC = {
    "base": {"type": "path", "default": "/etc/nginx/mtls"},
    "issuer_name": {"type": "str", "default": ""},
    "at": {"type": "str", "default": ""},
    "credentials": {
        "type": "list",
        "elements": "dict",
        "required": True,
        "no_log": False,
        "options": CREDENTIAL_SPEC,
    },
}


def ask(params: dict[str, Any], check_mode: bool, now: datetime) -> dict[str, Any]:
    """The result of the whole call. Each credential is compared before the first key is made."""
    at = expiry.parse_rfc3339(params["at"]) if params["at"] else now
    wanted = [Wanted.from_mapping(element) for element in params["credentials"]]
    readers = [partial(pending.read_live, params["base"], one.part, one.name) for one in wanted]
    if not check_mode or any(read("fullchain.pem") is not None for read in readers):
        _deps.require(_deps.WRITE_MINIMUM)
    elements: list[dict[str, Any]] = []
    changed = False
    lives = [request.read_live(read) for read in readers]
    reasons = [reason(one, live, at, params["issuer_name"]) for one, (live, _key) in zip(wanted, lives)]
    for one, (live, live_key), why in zip(wanted, lives, reasons):
        element = {
            "part": one.part, "name": one.name, "needed": bool(why), "reason": why, "request": None,
            "private_key_path": None, "public_key_sha256": None, "live": request.describe_live(live),
        }  # fmt: skip
        if why and check_mode:
            changed = True
        elif why:
            with pending.opened(params["base"], one.part, one.name) as directory:
                made = request.prepare(one, live_key, directory.read, directory.write)
            changed |= made.changed
            element["request"] = made.request.decode("ascii")
            element["private_key_path"] = f"{directory.path}/{request.KEY_FILE}"
            element["public_key_sha256"] = made.public_key_sha256
        elements.append(element)
    asked = [f"{one.summary()} ({why})\n" for one, why in zip(wanted, reasons) if why] if changed else []
    diff = {"before": "", "after": "".join(asked), "before_header": "requests", "after_header": "requests"}
    return {"changed": changed, "credentials": elements, "diff": diff}


def main() -> None:
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    now = datetime.now(timezone.utc)
    result.finish(module, lambda: ask(module.params, module.check_mode, now))


if __name__ == "__main__":
    main()
