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
  - Looks at the directory of the private CA, makes place for a new generation, lists what was issued, says
    which generation signs and which is retired, and revokes.
  - It is a part of the role P(mutual_tls.nginx.private_ca#role), which makes keys and certificates by
    C(community.crypto). There is no need to call it by hand, except with O(state=read).
  - A directory where the CA would be lost is refused in each state, in check mode too.
  - All that writes holds a lock (flock) on C(.lock) in the directory. It never returns a key.
notes:
  - A new generation is made in a directory of its own and becomes the generation by one rename. So of two
    controllers that make the CA at the same time on one host, one wins and the other takes what it made.
  - The other files are replaced by one rename each. A call that is killed leaves the old file or the new one,
    and the next call of the same state does what is left.
  - A CRL lists each revoked certificate of its issuer, expired ones too. Its number is more than the one
    before, and at least the seconds since 1970. So it grows when the clock goes back, and after a backup was
    restored.
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
    details: >-
      O(state=staged) makes a directory and O(state=recorded) adds lines at each call, and O(force) makes new
      CRLs.
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
    description: Passphrase of the keys that sign. With it, or without, a key that is used must open.
    type: str
    default: ""
  state:
    description:
      - V(read) looks at the directory and tells what is to be made, if anything.
      - V(staged) makes the directory, with a C(.gitignore) as its first file, and in it a place for the files
        of a new generation.
      - V(published) makes that place the generation O(generation), unless another run was first.
      - V(recorded) adds O(certificates) to C(issued.jsonl), on the disk before the call returns. It refuses
        where O(generation) is not the one that signs any more.
      - V(issuing) lets O(generation) sign from now on, by its newest intermediate where O(intermediate) is
        set. Until it is called, the lowest generation that is not retired signs.
      - V(retired) says that hosts are to trust the root of O(generation) no longer. It refuses the one that
        signs. A generation counts as retired, once another one signs, when its root has expired, or when its
        keys are lost and a CRL of it has ended.
      - V(revoked) adds the certificates that O(serials), O(sha256) or O(host) name to C(revoked.jsonl), and
        makes a new CRL of each certificate of the CA that signs or has signed, in each generation that is not
        retired.
      - V(crl) makes anew the CRLs that are missing or due. Before the first revocation there are none, unless
        O(force) is set. One of a generation whose keys are lost is kept, with a warning.
    type: str
    choices: [read, staged, published, recorded, issuing, retired, revoked, crl]
    default: read
  staging:
    description: What O(state=staged) returned, or the directory of a generation whose files were completed.
    type: path
  generation:
    description:
      - The number of the generation.
      - With O(state=crl), make only the CRLs of this generation.
    type: int
  host:
    description:
      - With O(state=recorded) the host that O(certificates) are for.
      - With O(state=revoked) the host all of whose certificates are revoked that have not expired.
    type: str
  credential:
    description:
      - Revoke the certificates of this credential of O(host) only, by its name (V(client)) or with the side
        (V(proxy/client)).
    type: str
  serials:
    description:
      - Serial numbers of certificates to revoke. One that C(issued.jsonl) does not have is accepted with its
        issuer.
    type: list
    elements: dict
    suboptions:
      serial:
        description: The serial number in hexadecimal digits, quoted. Colons and zeros in front do not matter.
        type: str
        required: true
      generation:
        description: The generation, where the same serial number is in several.
        type: int
      issuer:
        description: The subject of the issuer, for example V(CN=mtls CA 1).
        type: str
  sha256:
    description: SHA-256 fingerprints of certificates to revoke, which C(issued.jsonl) has.
    type: list
    elements: str
  certificates:
    description: Certificates that were signed just now, PEM, by C(<side>/<credential>).
    type: dict
    default: {}
  crl_days:
    description: For how many days a CRL is valid.
    type: int
    default: 30
  renew_before_days:
    description: A CRL with no more days left is due. The default is a third of O(crl_days).
    type: int
  force:
    description:
      - With O(state=crl), make all CRLs anew whose key is there, also before the first revocation.
    type: bool
    default: false
  with_issued:
    description: Whether the result lists the certificates that were issued and have not expired.
    type: bool
    default: false
  with_retired:
    description: Whether the roots and the CRLs in the result are those of retired generations, too.
    type: bool
    default: false
  next:
    description:
      - With O(state=read) and O(state=published), C(store.make) is not about what signs, but about what is to
        sign next, a generation or another intermediate of the generation that signs. Nothing is to be made
        where the newest one does not sign yet.
      - What signs now may have expired then, or have lost its key.
    type: str
    choices: [generation, intermediate]
  unable:
    description:
      - With O(state=read), whether what signs may have expired or have lost its key. C(store.unable) says so
        then, and the call does not fail.
    type: bool
    default: false
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

- name: Revoke what a host has
  mutual_tls.nginx.private_ca_store:
    path: "{{ inventory_dir }}/private_ca"
    name: mtls
    state: revoked
    host: b1.example.com
  delegate_to: localhost
"""

RETURN = r"""
store:
  description: What is in the directory.
  returned: with each O(state) but V(staged) and V(recorded)
  type: dict
  contains:
    path:
      description: The directory, without symbolic links.
      type: str
      returned: always
    issuing:
      description: The number of the generation that signs, V(0) when there is none.
      type: int
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
      description: What signs. V(none) when it cannot sign yet.
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
    unable:
      description: Why what signs cannot sign any more, with O(unable) or O(next). V(none) when it can.
      type: dict
      returned: always
      contains:
        why:
          description: A sentence.
          type: str
          returned: always
        next:
          description: What can follow it, as in O(next).
          type: str
          returned: always
    known:
      description: The numbers of all generations whose root is there, retired ones too.
      type: list
      elements: int
      returned: always
    roots:
      description: The root of each generation that is not retired, the oldest first. Hosts trust these.
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
        retired:
          description: Whether the generation is retired.
          type: bool
          returned: always
    chain:
      description: The intermediate that signs, PEM. Empty when the root signs.
      type: str
      returned: always
    newest:
      description:
        - The newest certificate that signs or is to sign, of a generation that is not retired. V(none) when
          there is none.
      type: dict
      returned: always
      contains:
        generation:
          description: The number of the generation.
          type: int
          returned: always
        certificate:
          description: The certificate, PEM.
          type: str
          returned: always
        root:
          description: The root above it, PEM. The same where the root signs.
          type: str
          returned: always
    issued:
      description: The certificates that were issued and have not expired.
      returned: with O(with_issued)
      type: list
      elements: dict
      contains:
        serial:
          description: The serial number, hexadecimal digits in upper case.
          type: str
          returned: always
        generation:
          description: The number of the generation.
          type: int
          returned: always
        host:
          description: The host that it was issued for.
          type: str
          returned: always
        not_after:
          description: The end of the certificate, RFC 3339.
          type: str
          returned: always
    crls:
      description: The newest CRL of each issuer of these generations. Empty before the first revocation.
      type: list
      elements: dict
      returned: always
      contains:
        generation:
          description: The number of the generation.
          type: int
          returned: always
        issuer:
          description: The subject of the issuer.
          type: str
          returned: always
        pem:
          description: The CRL, PEM.
          type: str
          returned: always
        number:
          description: Its number.
          type: int
          returned: always
        this_update:
          description: From when on it is valid, RFC 3339.
          type: str
          returned: always
        next_update:
          description: Until when it is valid, RFC 3339.
          type: str
          returned: always
    ended:
      description:
        - The numbers of the generations whose keys are lost and of which a CRL has ended. Every client of
          theirs is refused.
      type: list
      elements: int
      returned: always
    warnings:
      description:
        - A sentence about each generation whose keys are lost and which has a CRL, until when it is valid.
          Each is a warning of the call, too.
      type: list
      elements: str
      returned: always
    revoked:
      description: What was revoked, in that order.
      type: list
      elements: dict
      returned: always
      contains:
        serial:
          description: The serial number, hexadecimal digits in upper case.
          type: str
          returned: always
        generation:
          description: The number of the generation.
          type: int
          returned: always
        issuer:
          description: The subject of the issuer.
          type: str
          returned: always
        sha256:
          description: SHA-256 of the certificate. Like the next three, empty where C(issued.jsonl) has none.
          type: str
          returned: always
        host:
          description: The host that it was issued for.
          type: str
          returned: always
        side:
          description: V(server) or V(proxy).
          type: str
          returned: always
        credential:
          description: The name of the credential.
          type: str
          returned: always
        revoked_at:
          description: When it was revoked, RFC 3339.
          type: str
          returned: always
    barred:
      description: The credentials whose newest certificate is revoked. They get no other one but by force.
      type: list
      elements: dict
      returned: always
      contains:
        host:
          description: The host.
          type: str
          returned: always
        side:
          description: V(server) or V(proxy).
          type: str
          returned: always
        credential:
          description: The name of the credential.
          type: str
          returned: always
        serial:
          description: The serial number of that certificate.
          type: str
          returned: always
        revoked_at:
          description: When it was revoked, RFC 3339.
          type: str
          returned: always
revoked:
  description:
    - The certificates that O(serials), O(sha256) and O(host) name, revoked by this call or an earlier one.
    - The keys are those of C(store.revoked).
  returned: with O(state=revoked)
  type: list
  elements: dict
staging:
  description: The directory for the files of a new generation.
  returned: with O(state=staged)
  type: str
"""

import contextlib
import json
import os
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import ca_revocation as revocation
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import ca_store as rules
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import expiry
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import ca_store as disk
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import (
    _deps,
    ca_authority,
    certificate,
    crl,
    crl_make,
    key,
)


@dataclass(frozen=True)
class Look:
    """The directory as it is: the files of each generation, what signs, and the certificates of the CA."""

    path: str
    generations: dict
    signing: rules.Signing
    authorities: list


def look(path, name, now):
    """A generation that accepts nobody any more counts as retired, unless it signs: its root has expired, or
    a CRL has ended and its keys are lost. Raises MtlsError where the directory is not a private CA of this
    *name*, with keys that are private."""
    generations = disk.generations(path)
    rules.check_entries(disk.entries(path), generations, path)
    disk.check_keys(path)
    signing = rules.signing(disk.text(os.path.join(path, rules.ISSUING)), generations, path)
    authorities = [
        load(path, number, stem, files, rules.subject(name, number))
        for number, files in sorted(generations.items())
        for stem in rules.authorities(files)
    ]
    over = ca_authority.ended(authorities, now) | {
        one.generation
        for one in authorities
        if one.stem == rules.ROOT and one.certificate.facts.not_after <= now
    }
    over.discard(signing.generation)
    authorities = [replace(one, retired=one.retired or one.generation in over) for one in authorities]
    for one in authorities:
        if one.stem == rules.ROOT:
            rules.check_subject(one.issuer.subject, name, one.generation, path)
    return Look(path, generations, signing, authorities)


def load(path, number, stem, files, root):
    """A certificate of a generation, with the CRL beside it. A CRL that cannot be read counts as none: it is
    made anew. Of several in one file, as in a host's trust.pem, the one with the subject *root* counts, and
    of a crl.pem the one that this certificate has signed."""
    place = os.path.join(path, "generations", str(number), stem)
    with open(f"{place}.pem", "rb") as stream:
        several = certificate.split(stream.read(), f"{place}.pem")
    found = next((one for one in several if one.facts.subject_text == root), several[0])
    list_path = os.path.join(os.path.dirname(place), rules.crl_name(stem))
    lists = crl.load(disk.text(list_path).encode("utf-8"), list_path)[0]
    own = [one for one in lists if len(lists) > 1 and crl.signed_by(one.facts, found.facts)]
    return ca_authority.Authority(
        number,
        stem,
        place,
        rules.RETIRED in files,
        f"{stem}.key" in files,
        not any(rules.is_key(name) for name in files),
        found,
        next(iter(own or lists), None),
    )


def read(params, path, now, strict):
    """The element `store` of the result. With *strict* it raises where what signs has expired or lost its
    key."""
    seen = look(path, params["name"], now)
    shown = [one for one in seen.authorities if params["with_retired"] or not one.retired]
    store = {
        "path": path,
        "issuing": seen.signing.generation,
        "make": to_make(seen, params) if params["next"] else None,
        "issuer": None,
        "unable": None,
        "known": [one.generation for one in seen.authorities if one.stem == rules.ROOT],
        "roots": [ca_authority.describe_root(one) for one in shown if one.stem == rules.ROOT],
        "chain": "",
        "newest": newest(seen, params["intermediate"]),
        "crls": [
            ca_authority.describe_crl(one, one.crl)
            for one in shown
            if one.crl and one.crl_is_own is not False
        ],
        "revoked": revoked(path),
        "barred": revocation.barred(issued_lines(path), revoked(path)),
        "ended": sorted(ca_authority.ended(seen.authorities, now)),
        "warnings": ca_authority.warnings(seen.authorities, revoked(path), now),
    }
    if params["with_issued"]:
        store["issued"] = issued(path, now)
    signer = None
    try:
        step = next_step(seen, seen.signing, params)
        if step.makes:
            if not params["next"]:
                store["make"] = described(seen, step)
            return store
        signer = issuer(seen, seen.signing, params, None)
        rules.check_time(signer.certificate.facts.not_after, now, signer.certificate_path)
    except rules.CannotSignError as error:
        if strict:
            raise
        store["unable"] = {"why": error.message, "next": following(seen, params, now)}
        if signer is None:
            return store
    store["issuer"] = {
        "generation": signer.generation,
        "certificate_path": signer.certificate_path,
        "private_key_path": signer.key_path,
        "subject": signer.issuer.subject,
        "not_after": certificate.describe(signer.certificate, now)["not_after"],
    }
    if signer.stem != rules.ROOT:
        store["chain"] = signer.certificate.pem.decode("ascii")
    return store


def following(seen, params, now):
    """What can follow what cannot sign any more: an intermediate below a root that can, or a generation."""
    if params["intermediate"]:
        for one in seen.authorities:
            if (one.generation, one.stem) == (seen.signing.generation, rules.ROOT) and one.has_key:
                return "intermediate" if one.certificate.facts.not_after > now else "generation"
    return "generation"


def newest(seen, intermediate):
    """The element `newest` of the result."""
    found = [
        one
        for one in seen.authorities
        if not one.retired
        and (one.stem != rules.ROOT) == intermediate
        # One that was lost and is only trusted still will never sign.
        and (one.has_key or one.generation == seen.signing.generation)
    ]
    if not found:
        return None
    last = found[-1]  # by generation, and of one in the order of `rules.authorities`
    (root,) = (one for one in seen.authorities if (one.generation, one.stem) == (last.generation, rules.ROOT))
    return {
        "generation": last.generation,
        "certificate": last.certificate.pem.decode("ascii"),
        "root": root.certificate.pem.decode("ascii"),
    }


def issued(path, now):
    """The element `issued` of the result."""
    names = ("serial", "generation", "host", "not_after")
    return [
        {name: one[name] for name in names}
        for one in issued_lines(path)
        if set(names) <= set(one) and expiry.parse_rfc3339(one["not_after"]) > now
    ]


def next_step(seen, signing, params):
    files = seen.generations.get(signing.generation, ())
    intermediate = signing.intermediate if params["intermediate"] else 0
    return rules.next_step(signing.generation, files, intermediate, seen.path)


def to_make(seen, params):
    """The element `make` of what is to sign next."""
    signing = rules.following(
        seen.signing, seen.generations, params["next"], params["intermediate"], seen.path
    )
    step = next_step(seen, signing, params)
    return described(seen, step) if step.makes else None


def described(seen, step):
    """The element `make`: what is still to be made."""
    there = step.generation in seen.generations
    folder = os.path.join(seen.path, "generations", str(step.generation)) if there else None
    return {"generation": step.generation, "directory": folder, "files": list(step.makes)}


def issuer(seen, signing, params, now):
    """What signs, when its key opens and, unless *now* is None, it has not expired. Raises MtlsError."""
    stem = rules.stem(signing.intermediate if params["intermediate"] else 0)
    found = next(one for one in seen.authorities if (one.generation, one.stem) == (signing.generation, stem))
    if now is not None:
        rules.check_time(found.certificate.facts.not_after, now, found.certificate_path)
    open_key(found, params["passphrase"])
    return found


def open_key(authority, passphrase):
    """Raises MtlsError where the key does not open or is not that of the certificate."""
    path = authority.key_path
    with open(path, "rb") as stream:
        data = stream.read()
    try:
        found = key.read(data, passphrase, path)
    except MtlsError as error:
        place, remedy = rules.PLACE, error.remedy
        if error.code == "pair.key_encrypted":
            place, remedy = "private_ca_passphrase", "Set it to the passphrase that this key was made with."
        raise MtlsError(f"{path}: {error.message}", place, remedy, error.code) from None
    fits = found.public_key_sha256 == authority.certificate.facts.public_key_sha256
    rules.check_key(path, found.encrypted, bool(passphrase), fits)
    return found


def revoked(path):
    return revocation.revoked_lines(disk.text(os.path.join(path, rules.REVOKED)), path)


def issued_lines(path):
    return revocation.issued_lines(disk.text(os.path.join(path, rules.ISSUED)))


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


def new_crls(seen, entries, params, now, renew_before, anew, new=()):
    """The CRLs to be made, by authority, signed but not written; *entries* is all that is revoked, *new* what
    is by this call. With *anew* also those that are good, where the key is there. Raises MtlsError."""
    made = []
    for one in seen.authorities:
        if one.retired:
            continue
        serials = revocation.listed(entries, one.issuer)
        facts = one.crl.facts if one.crl else None
        why = revocation.why_anew(facts, one.crl_is_own, serials, now, renew_before)
        if why and not one.has_key:
            if one.keeps_crl(new):
                continue
            raise revocation.key_away(one.certificate_path, one.key_path, why, one.lost)
        if why or (anew and one.has_key):
            signer = open_key(one, params["passphrase"])
            number = revocation.next_number(facts, now)
            until = now + timedelta(days=params["crl_days"])
            made.append(
                (
                    one,
                    crl_make.make(one.certificate, signer, serials, number, now - revocation.EARLIER, until),
                )
            )
    return made


# --- the states that change something beside the certificates. Each returns the result without `store`, and
# writes nothing with `write` false. ---


def let_sign(seen, params, write, now):
    number = params["generation"]
    files = seen.generations.get(number)
    wanted = rules.check_issuing(number, files, params["intermediate"], seen.path)
    issuer(seen, wanted, params, now)
    if wanted == seen.signing:
        return {"changed": False}
    if write:
        disk.replace(os.path.join(seen.path, rules.ISSUING), rules.signing_text(wanted).encode("ascii"))
    return {"changed": True}


def retire(seen, params, write, dummy_now):
    number = params["generation"]
    rules.check_retired(number, seen.generations, seen.signing, seen.path)
    if rules.RETIRED in seen.generations[number]:
        return {"changed": False}
    if write:
        disk.replace(os.path.join(seen.path, "generations", str(number), rules.RETIRED), b"")
    return {"changed": True}


def revoke(seen, params, write, now):
    asked = revocation.Asked(
        params["serials"] or (), params["sha256"] or (), params["host"] or "", params["credential"] or ""
    )
    before = revoked(seen.path)
    issuers = [one.issuer for one in seen.authorities]
    found = revocation.find(asked, issued_lines(seen.path), before, issuers, now)
    new = [entry for entry in found if revocation.is_new(entry, before)]
    # Signed before anything is written: with a key that does not open nothing is half done. Here a CRL that
    # is not yet due is no reason to ask for a key that is away.
    everything = before + new
    lists = new_crls(seen, everything, params, now, timedelta(0), bool(new), new) if everything else []
    if write and new:
        lines = [json.dumps(entry) + "\n" for entry in everything]
        disk.replace(os.path.join(seen.path, rules.REVOKED), "".join(lines).encode("utf-8"))
    write_crls(lists, write)
    return {"changed": bool(new or lists), "revoked": found}


def renew_crls(seen, params, write, now):
    renew_before = revocation.check_days(params["crl_days"], params["renew_before_days"])
    entries = revoked(seen.path)
    needed = params["force"] or entries or any(one.crl for one in seen.authorities)
    if params["generation"]:
        chosen = [one for one in seen.authorities if one.generation == params["generation"]]
        seen = replace(seen, authorities=chosen)
    lists = new_crls(seen, entries, params, now, renew_before, params["force"]) if needed else []
    write_crls(lists, write)
    return {"changed": bool(lists)}


def write_crls(lists, write):
    for one, made in lists:
        if write:
            disk.replace(one.crl_path, made.pem, 0o644)


CHANGES = {"issuing": let_sign, "retired": retire, "revoked": revoke, "crl": renew_crls}


def change(params, path, check_mode, now):
    """One of CHANGES, on what is there under the lock."""
    rules.check_there(disk.generations(path), path)
    with contextlib.nullcontext() if check_mode else disk.locked(path):
        if not check_mode:
            disk.settle(path)
        if params["state"] != "issuing":  # which mends what else ends here, before anything is written
            read(params, path, now, strict=False)
        result = CHANGES[params["state"]](look(path, params["name"], now), params, not check_mode, now)
    return {**result, "store": read(params, path, now, strict=False)}


def add_records(params, path, now):
    """Under the lock, since another controller may let another generation sign."""

    def check():
        generations = disk.generations(path)
        rules.check_there(generations, path)
        signing = rules.signing(disk.text(os.path.join(path, rules.ISSUING)), generations, path)
        rules.check_signed(params["generation"], signing)

    lines = [record(*item, params, now) for item in sorted(params["certificates"].items())]
    disk.append(path, lines, check)


def run(params, check_mode, now):
    """The result of the module as a dict. Raises MtlsError and OSError."""
    state, path = params["state"], os.path.realpath(params["path"])
    rules.check_home(
        params["path"], path, disk.temporary_folders(os.environ), params["collections"], params["project"]
    )
    if disk.entries(path) or not check_mode:
        _deps.require()
    if state in CHANGES:
        return change(params, path, check_mode, now)
    if state != "read" and check_mode:
        return {"changed": True}
    if state == "staged":
        return {"changed": True, "staging": disk.stage(path)}
    if state == "recorded":
        add_records(params, path, now)
        return {"changed": True}
    changed = state == "published" and disk.publish(path, params["staging"], params["generation"])
    strict = params["next"] is None and not params["unable"]
    return {"changed": changed, "store": read(params, path, now, strict)}


def argument_spec():
    serial = {
        "serial": {"type": "str", "required": True},
        "generation": {"type": "int"},
        "issuer": {"type": "str"},
    }
    return {
        "path": {"type": "path", "required": True},
        "name": {"type": "str", "required": True},
        "intermediate": {"type": "bool", "default": False},
        "passphrase": {"type": "str", "default": "", "no_log": True},
        "state": {"choices": ["read", "staged", "published", "recorded", *CHANGES], "default": "read"},
        "staging": {"type": "path"},
        "generation": {"type": "int"},
        "host": {"type": "str"},
        "credential": {"type": "str"},
        "serials": {"type": "list", "elements": "dict", "options": serial},
        "sha256": {"type": "list", "elements": "str"},
        "certificates": {"type": "dict", "default": {}},
        "crl_days": {"type": "int", "default": 30},
        "renew_before_days": {"type": "int"},
        "force": {"type": "bool", "default": False},
        "with_issued": {"type": "bool", "default": False},
        "with_retired": {"type": "bool", "default": False},
        "next": {"choices": ["generation", "intermediate"]},
        "unable": {"type": "bool", "default": False},
        "collections": {"type": "list", "elements": "path", "default": []},
        "project": {"type": "path", "default": ""},
    }


def main():
    module = AnsibleModule(
        argument_spec=argument_spec(),
        required_if=[
            ("state", "published", ("staging", "generation")),
            ("state", "recorded", ("host", "certificates", "generation")),
            ("state", "issuing", ("generation",)),
            ("state", "retired", ("generation",)),
            ("state", "revoked", ("serials", "sha256", "host"), True),
        ],
        required_by={"credential": ("host",)},
        supports_check_mode=True,
    )
    try:
        result = run(module.params, module.check_mode, datetime.now(timezone.utc).replace(microsecond=0))
    except MtlsError as error:
        module.fail_json(msg=str(error))
    except PermissionError as error:
        module.fail_json(
            msg=f"private_ca_dir: {error.strerror}: {error.filename}. Run as the user who owns the directory,"
            " or set private_ca_become: true."
        )
    except OSError as error:
        # A disk that is full is told while a file is written, which has no name any more.
        place = error.filename or module.params["path"]
        module.fail_json(msg=f"private_ca_dir: {error.strerror}: {place}. Name another directory or mend it.")
    for text in result.get("store", {}).get("warnings", ()):
        module.warn(text)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
