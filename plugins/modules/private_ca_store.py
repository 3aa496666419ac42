#!/usr/bin/python
# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: private_ca_store
short_description: The directory of the private CA
version_added: 0.1.0
author:
  - The mutual_tls.nginx maintainers (@mutual-tls-nginx)
description:
  - Looks at the directory of the private CA, makes place for a new generation, and lists what was issued.
  - It is a part of the role P(mutual_tls.nginx.private_ca#role), which makes keys and certificates by
    C(community.crypto). There is no need to call it by hand, except with O(state=read).
  - A directory where the CA would be lost is refused in each state, in check mode too.
  - All that writes holds a lock (flock) on C(.lock) in the directory. It never returns a key.
notes:
  - A new generation is made in a directory of its own and becomes the generation by one rename. So of two
    controllers that make the CA at the same time on one host, one wins and the other takes what it made.
requirements:
  - cryptography >= 3.3
attributes:
  check_mode:
    description: In check mode it looks and refuses, and writes nothing.
    support: full
  diff_mode:
    description: Would show what a change is about.
    support: none
  idempotent:
    description: A second run changes nothing.
    support: partial
    details: O(state=staged) makes a directory and O(state=recorded) adds lines at each call.
  platform:
    description: Where the module runs.
    support: full
    platforms: posix
options:
  path:
    description: The directory, absolute.
    type: path
    required: true
  name:
    description: The name of the CA. Its certificates are called C(<name> CA <generation>).
    type: str
    required: true
  intermediate:
    description: Whether an intermediate certificate is to sign.
    type: bool
    default: false
  passphrase:
    description: Passphrase of the key that signs. With it, or without, the key must open.
    type: str
    default: ""
  state:
    description:
      - V(read) looks at the directory and tells what is to be made, if anything.
      - V(staged) makes the directory, with a C(.gitignore) as its first file, and in it a place for the files
        of a new generation.
      - V(published) makes that place the generation O(generation), unless another run was first.
      - V(recorded) adds O(certificates) to C(issued.jsonl), on the disk before the call returns.
    type: str
    choices: [read, staged, published, recorded]
    default: read
  staging:
    description: What O(state=staged) returned, or the directory of a generation whose files were completed.
    type: path
  generation:
    description: The number of the generation.
    type: int
  host:
    description: The host that O(certificates) are for.
    type: str
  certificates:
    description: Certificates that were signed just now, PEM, by C(<side>/<credential>).
    type: dict
    default: {}
  collections:
    description: Folders on this host where collections are installed. The CA may not lie there.
    type: list
    elements: path
    default: []
  project:
    description:
      - The folder of the inventory. An element of O(collections) that holds it is no reason to refuse, since
        then the whole project lies there.
    type: path
    default: ""
"""

EXAMPLES = r"""
- name: What is in the private CA
  mutual_tls.nginx.private_ca_store:
    path: "{{ inventory_dir }}/private_ca"
    name: mtls
  delegate_to: localhost
  register: store
"""

RETURN = r"""
store:
  description: What is in the directory.
  returned: with O(state=read) and O(state=published)
  type: dict
  contains:
    path:
      description: The directory, without symbolic links.
      type: str
      returned: always
    make:
      description: What is to be made before the CA can sign. V(none) when it can.
      type: dict
      returned: always
      contains:
        generation:
          description: The number of the generation.
          type: int
          returned: always
        directory:
          description: The directory of a generation that was left half made, or V(none).
          type: str
          returned: always
        files:
          description: Names of the missing files.
          type: list
          elements: str
          returned: always
    issuer:
      description: What signs, that is the newest generation. V(none) when it cannot sign yet.
      type: dict
      returned: always
      contains:
        generation:
          description: The number of the generation.
          type: int
          returned: always
        certificate_path:
          description: The file of the certificate.
          type: str
          returned: always
        private_key_path:
          description: The file of the key.
          type: str
          returned: always
        subject:
          description: The subject of the certificate.
          type: str
          returned: always
        not_after:
          description: The end of the certificate, RFC 3339.
          type: str
          returned: always
    roots:
      description: The root of each complete generation, the oldest first.
      type: list
      elements: dict
      returned: always
      contains:
        generation:
          description: The number of the generation.
          type: int
          returned: always
        subject:
          description: The subject of the certificate.
          type: str
          returned: always
        certificate:
          description: The certificate, PEM.
          type: str
          returned: always
        sha256:
          description: SHA-256 of the certificate, hexadecimal digits in lower case.
          type: str
          returned: always
    chain:
      description: The intermediate that signs, PEM. Empty when the root signs.
      type: str
      returned: always
staging:
  description: The directory for the files of a new generation.
  returned: with O(state=staged)
  type: str
"""

import json
import os
from datetime import datetime, timezone

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import ca_store as rules
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import ca_store as disk
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import _deps, certificate, key


def read(path, name, intermediate, passphrase, now):
    """The element `store` of the result."""
    generations = disk.generations(path)
    rules.check_entries(disk.entries(path), generations, path)
    disk.check_keys(path)
    newest = max(generations, default=0)
    step = rules.next_step(newest, generations.get(newest, ()), intermediate, path)
    found = {
        number: load(path, number, rules.ROOT_CERTIFICATE)
        for number, files in generations.items()
        if rules.ROOT_CERTIFICATE in files
    }
    roots = []
    for number, root in sorted(found.items()):
        rules.check_subject(root.facts.subject_text, name, number, path)
        text = root.pem.decode("ascii")
        roots.append(
            {
                "generation": number,
                "subject": root.facts.subject_text,
                "sha256": root.facts.sha256,
                "certificate": text,
            }
        )
    store = {"path": path, "roots": roots, "chain": "", "make": None, "issuer": None}
    if step.makes:
        half_made = os.path.join(path, "generations", str(newest)) if step.generation == newest else None
        store["make"] = {"generation": step.generation, "directory": half_made, "files": list(step.makes)}
        return store
    certificate_name, key_name = rules.issuer_names(step.intermediate)
    issuer = load(path, newest, certificate_name)
    rules.check_time(issuer.facts.not_after, now, f"{path}/generations/{newest}/{certificate_name}")
    check_key(os.path.join(path, "generations", str(newest), key_name), issuer, passphrase)
    store["issuer"] = {
        "generation": newest,
        "certificate_path": os.path.join(path, "generations", str(newest), certificate_name),
        "private_key_path": os.path.join(path, "generations", str(newest), key_name),
        "subject": issuer.facts.subject_text,
        "not_after": certificate.describe(issuer, now)["not_after"],
    }
    if step.intermediate:
        store["chain"] = issuer.pem.decode("ascii")
    return store


def load(path, number, name):
    """The certificate in a file of a generation."""
    file = os.path.join(path, "generations", str(number), name)
    with open(file, "rb") as stream:
        return certificate.split(stream.read(), file)[0]


def check_key(path, issuer, passphrase):
    """Raises MtlsError where the key does not open or is not the one of `issuer`."""
    with open(path, "rb") as stream:
        data = stream.read()
    try:
        found = key.read(data, passphrase, path)
    except MtlsError as error:
        place, remedy = rules.PLACE, error.remedy
        if error.code == "pair.key_encrypted":
            place, remedy = "private_ca_passphrase", "Set it to the passphrase that this key was made with."
        raise MtlsError(f"{path}: {error.message}", place, remedy, error.code) from None
    fits = found.public_key_sha256 == issuer.facts.public_key_sha256
    rules.check_key(path, found.encrypted, bool(passphrase), fits)


def record(place, text, params, now):
    """The line of issued.jsonl for one element of `certificates`."""
    leaf = certificate.describe(certificate.first(text.encode("utf-8")), now)
    side, credential = place.split("/", 1)
    entry = {
        **{key: leaf[key] for key in ("serial", "subject")},
        "names": leaf["san"]["dns"] + leaf["san"]["ip"],
        "host": params["host"],
        "side": side,
        "credential": credential,
        **{key: leaf[key] for key in ("not_before", "not_after", "sha256", "issuer")},
        "generation": params["generation"],
    }
    return json.dumps(entry)


def run(params, check_mode, now):
    """The result of the module as a dict. Raises MtlsError and OSError."""
    state, path = params["state"], os.path.realpath(params["path"])
    rules.check_home(
        params["path"], path, disk.temporary_folders(os.environ), params["collections"], params["project"]
    )
    if disk.entries(path) or not check_mode:
        _deps.require()
    if state != "read" and check_mode:
        return {"changed": True}
    if state == "staged":
        return {"changed": True, "staging": disk.stage(path)}
    if state == "recorded":
        disk.append(path, [record(*item, params, now) for item in sorted(params["certificates"].items())])
        return {"changed": True}
    changed = state == "published" and disk.publish(path, params["staging"], params["generation"])
    wanted = [params[name] for name in ("name", "intermediate", "passphrase")]
    return {"changed": changed, "store": read(path, *wanted, now)}


def main():
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "name": {"type": "str", "required": True},
            "intermediate": {"type": "bool", "default": False},
            "passphrase": {"type": "str", "default": "", "no_log": True},
            "state": {"choices": ["read", "staged", "published", "recorded"], "default": "read"},
            "staging": {"type": "path"},
            "generation": {"type": "int"},
            "host": {"type": "str"},
            "certificates": {"type": "dict", "default": {}},
            "collections": {"type": "list", "elements": "path", "default": []},
            "project": {"type": "path", "default": ""},
        },
        required_if=[
            ("state", "published", ("staging", "generation")),
            ("state", "recorded", ("host", "certificates", "generation")),
        ],
        supports_check_mode=True,
    )
    try:
        result = run(module.params, module.check_mode, datetime.now(timezone.utc))
    except MtlsError as error:
        module.fail_json(msg=str(error))
    except PermissionError as error:
        module.fail_json(
            msg=f"private_ca_dir: {error.strerror}: {error.filename}. Run as the user who owns the directory,"
            " or set private_ca_become: true."
        )
    except OSError as error:
        module.fail_json(
            msg=f"private_ca_dir: {error.strerror}: {error.filename}. Name another directory or mend it."
        )
    module.exit_json(**result)


if __name__ == "__main__":
    main()
