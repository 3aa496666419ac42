#!/usr/bin/python
# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: release
short_description: Install all credentials and server blocks of a host in one step, prove them, or go back
version_added: 0.1.0
author:
  - The mutual_tls.nginx maintainers (@mutual-tls-nginx)
description:
  - A host is always in one release, whole. This module builds the wanted one from what is given and what is
    live, lets nginx test it inside its whole configuration, switches to it by one rename, reloads nginx, and
    asks it real questions, with the good client and with bad ones.
  - If an answer is wrong, it takes the release from before back, reloads, and fails with both reports.
    Answers that say nothing, and wrong ones that this call only carries over, are told and block nothing.
  - Whatever kills it, the host serves the whole old or the whole new release, and the next run finishes or
    undoes.
  - What is not given is kept from the live release. A credential that gives neither certificate nor key keeps
    both, O(parts.server.credentials[].trust) and O(parts.server.credentials[].crl) are kept each by itself,
    and so are the lists of credentials, sites, routes and listeners. A list that is given is the whole list.
  - In the text of a block, C(@MTLS_RELEASE@) stands for the directory of its release, C(@MTLS_ID@) for its
    id.
notes:
  - C(*_src) files are read on the controller, and vault files are decrypted in memory. Relative ones are
    looked for beside the inventory, then in the working directory.
  - Private content needs a connection with pipelining (C(ansible_pipelining=true)); otherwise Ansible would
    write it to temporary files.
  - nginx itself is not installed or configured, apart from C(conf.d/mtls.conf), one line that includes the
    live release, and C(modules-enabled/mtls.conf), for O(worker_shutdown_timeout).
  - Owners and modes follow whom the master of nginx runs as, as the process and its unit say.
    An ordinary user's keys are its own and 0400, root's are 0600.
requirements:
  - nginx >= 1.22
  - cryptography >= 38 (Python library)
  - setpriv (util-linux), for an nginx whose master is not root's
attributes:
  check_mode:
    description:
      - Tests what exists already, beside the running nginx, and writes nothing below its configuration.
    support: full
  diff_mode:
    description: Certificates are shown by subject, dates and fingerprint, keys by their public key's digest.
    support: full
  idempotent:
    description: A second run reloads nothing and changes nothing.
    support: full
  platform:
    description: Where the module runs.
    support: full
    platforms: posix
    details: Linux, since processes are told apart by C(/proc).
options:
  base:
    description: The directory of all releases. It must lie below the directory of C(nginx.conf).
    type: path
    default: /etc/nginx/mtls
  parts:
    description:
      - What the host is to hold. A part that is not given is carried over unchanged.
      - Without this option only recovery and proof of the live release are done.
    type: dict
    suboptions:
      server:
        description: Server A, where TLS ends and client certificates are required.
        type: dict
        suboptions:
          credentials: &credentials
            description: All credentials of the part. Not given, they are kept.
            type: list
            elements: dict
            suboptions:
              name:
                description: Its name. C(probe) of part C(server) is the client identity for the proof.
                type: str
                required: true
              purpose:
                description: What the certificate is for. The part says it, so this is only compared.
                type: str
                choices: [server, client]
              hostnames:
                description: Names that the certificate must hold.
                type: list
                elements: str
                default: []
              certificate_src: &certificate_src
                description: The certificate, or its whole chain with the leaf in it, on the controller.
                type: str
              certificate_path: &on_the_host
                description: The same on the host.
                type: path
              certificate_content: &inline
                description: The same inline.
                type: str
              private_key_src: &private_key_src
                description: The private key on the controller.
                type: str
              private_key_path:
                description: The same on the host.
                type: path
              private_key_content:
                description: The same inline.
                type: str
              private_key_passphrase: &passphrase
                description: Passphrase of the private key. The key is installed without.
                type: str
              private_key_passphrase_src: &passphrase_src
                description: File on the controller that holds the passphrase, final line breaks left out.
                type: str
              private_key_passphrase_path:
                description: The same on the host.
                type: path
              chain_src: &chain_src
                description: Further certificates of the chain, on the controller.
                type: str
              chain_path:
                description: The same on the host.
                type: path
              chain_content:
                description: The same inline.
                type: str
              trust:
                description: The CAs that this side accepts from the other one. Not given, they are kept.
                type: dict
                suboptions:
                  sources:
                    description: Files with CA certificates.
                    type: list
                    elements: dict
                    required: true
                    suboptions: &source
                      src:
                        description: A file on the controller.
                        type: str
                      path:
                        description: A file on the host.
                        type: path
                      content:
                        description: Its content.
                        type: str
                  on_expired:
                    description: What to do with expired certificates.
                    type: str
                    choices: [refuse, drop, keep]
                    default: drop
                  on_leaf:
                    description: What to do with certificates that are no CA's but a server's or client's own.
                    type: str
                    choices: [refuse, drop, keep]
                    default: refuse
                  on_non_ca:
                    description: What to do with other certificates that OpenSSL would not use as an issuer.
                    type: str
                    choices: [refuse, drop, keep]
                    default: refuse
                  allow_pinned:
                    description: SHA-256 of self-signed certificates that are trusted on purpose.
                    type: list
                    elements: str
                    default: []
              crl:
                description:
                  - Revocation lists in PEM. Not given, they are kept; an empty list removes them.
                  - Where there are any, nginx needs a current one of each CA of the trust, and refuses
                    everybody of the others; so a missing or outdated one is an error.
                type: list
                elements: dict
                suboptions: *source
              verify_depth:
                description: How many intermediates are allowed. Not given, it follows from the trust.
                type: int
              sessions:
                description:
                  - Whether TLS sessions are resumed. A resumed session is not verified again.
                  - Of part C(server), V(shared) only where one credential serves the whole address and port.
                    Of part C(proxy), V(off) makes a full handshake of each new connection to Server A.
                  - Not given, it is kept; at first V(off) of part C(server), V(shared) of part C(proxy).
                type: str
                choices: ["off", shared]
              proof:
                description:
                  - Clients that the credential's own CRL revokes. Each site that uses the credential must
                    refuse them, with a new connection and with a session from before the switch.
                  - For this call's proof only. For its time they are in files below C(/run) that only root
                    can read; no release has them.
                  - For part C(server) only. With O(until=checked) nothing is asked of them.
                type: list
                elements: dict
                suboptions:
                  name:
                    description: Its name in the rows of RV(proof).
                    type: str
                    required: true
                  certificate_src: *certificate_src
                  certificate_path: *on_the_host
                  certificate_content: *inline
                  private_key_src: *private_key_src
                  private_key_path: *on_the_host
                  private_key_content: *inline
                  private_key_passphrase: *passphrase
                  private_key_passphrase_src: *passphrase_src
                  private_key_passphrase_path: *on_the_host
                  chain_src: *chain_src
                  chain_path: *on_the_host
                  chain_content: *inline
          sites:
            description: All server blocks. Not given, they are kept.
            type: list
            elements: dict
            suboptions: &block
              name:
                description: Its name, which becomes a file's name.
                type: str
                required: true
              content:
                description: Its text.
                type: str
                required: true
      proxy:
        description: Server B, which presents a client certificate to Server A.
        type: dict
        suboptions:
          credentials: *credentials
          routes:
            description: All upstream blocks. Not given, they are kept.
            type: list
            elements: dict
            suboptions: *block
          listeners:
            description: All server blocks, one for each address listened on. Not given, they are kept.
            type: list
            elements: dict
            suboptions: *block
  state:
    description:
      - V(present) brings the host to what is given.
      - V(absent) takes the given parts off the host, or all, with every trace, where none is given. Where
        O(base) is gone already it takes away what else was left.
      - V(rolled_back) goes to the release from before, or to O(to), with the same checks and proof. Once more
        without O(to) is no change.
      - It refuses one that has another CRL than the live one, or trusts a CA that the live one does not.
    type: str
    choices: [present, absent, rolled_back]
    default: present
  until:
    description:
      - V(checked) stages and tests what is given and switches nothing. A later call with O(to=prepared) does.
      - The prepared release stays until a call that changes a credential is proven; that call says so.
    type: str
    choices: [checked, stable]
    default: stable
  to:
    description:
      - The id of the release to go back to, with O(state=rolled_back).
      - V(prepared) switches to what an earlier call with O(until=checked) has prepared, all checks anew;
        what that call only carried over is taken from the live release, should that have moved since.
    type: str
  expected:
    description:
      - The id of the live release as it was read before, for example by M(mutual_tls.nginx.credential_info).
      - Where another one is live by now, the call fails and changes nothing. So a run that was planned long
        ago, or that another controller makes at the same time, does not take back what came after it.
    type: str
  keep:
    description:
      - How many releases to keep, those that were staged or live last.
      - The live one, the one before and a prepared one are always kept.
    type: int
    default: 3
  service:
    description:
      - The service that starts nginx where it does not run.
      - Its unit's arguments and environment are those of each test of the configuration, and nginx's own
        lines are looked for in its journal, too.
    type: str
    default: nginx
  worker_shutdown_timeout:
    description:
      - Until when an old worker may finish its connections after a reload.
      - A time as nginx writes it, such as V(60s) or V(1h30m).
      - Set only where nothing else sets it. Empty sets nothing.
    type: str
    default: 60s
  proof_rounds:
    description: How often each listener is asked for its release.
    type: int
    default: 3
  lock_timeout_s:
    description: Seconds to wait for another run on the same host.
    type: float
    default: 60
  timeout_s:
    description:
      - Seconds that nginx has for a test, a reload or a start.
      - A proof has as long, and a tenth of a second for each question. What is not asked by then has failed.
    type: float
    default: 30
"""

EXAMPLES = r"""
- name: Install Server A's part
  mutual_tls.nginx.release:
    parts:
      server:
        credentials:
          - name: server
            certificate_src: pki/a1.pem
            private_key_src: pki/a1.key.vault
            trust:
              sources:
                - src: pki/clients-ca.pem
        sites:
          - name: orders
            content: "{{ lookup('ansible.builtin.template', 'orders.conf.j2') }}"

- name: Go back to the release from before
  mutual_tls.nginx.release:
    state: rolled_back

- name: Prepare a new certificate on Friday morning
  mutual_tls.nginx.release:
    until: checked
    parts:
      server:
        credentials:
          - name: server
            certificate_path: /root/new.pem
            private_key_path: /root/new.key
          - name: probe

- name: Switch to it at night
  mutual_tls.nginx.release:
    to: prepared

- name: Take everything off the host
  mutual_tls.nginx.release:
    state: absent

- name: Replace one certificate, and keep everything else
  mutual_tls.nginx.release:
    parts:
      proxy:
        credentials:
          - name: client
            certificate_path: /root/new.pem
            private_key_path: /root/new.key
"""

RETURN = r"""
state:
  description:
    - V(stable) when the release is proven, V(checked) when nothing was switched.
    - V(rolled_back) always means that something failed, V(absent) that what was to go is gone.
    - Empty where a call failed before it came to any of these, or its way back did not end; see the message.
  returned: always
  type: str
  sample: stable
code:
  description: The finding that stopped the call, as in docs/findings.md, where there is one for it.
  returned: failed
  type: str
  sample: pair.key_mismatch
release:
  description: The id of the live release. In check mode the one that would be live.
  returned: always
  type: str
  sample: 0a1b2c3d4e5f6071
previous:
  description: The id of the release from before.
  returned: always
  type: str
  sample: empty
prepared:
  description: The id of the release that this call has prepared, with O(until=checked).
  returned: always
  type: str
  sample: ""
credentials:
  description: All credentials of the release.
  returned: always
  type: list
  elements: dict
  contains:
    part:
      description: The part it belongs to.
      type: str
      returned: always
    name:
      description: Its name.
      type: str
      returned: always
    subject:
      description: The certificate's subject.
      type: str
      returned: always
    not_after:
      description: When it expires.
      type: str
      returned: always
    sha256:
      description: The certificate's fingerprint.
      type: str
      returned: always
    issuer:
      description: The certificate's issuer.
      type: str
      returned: always
    serial:
      description: The certificate's serial number.
      type: str
      returned: always
    trust:
      description: Fingerprints of the CAs that it trusts.
      type: list
      elements: str
      returned: always
    findings:
      description: Problems, each with code, severity, message, remedy and place.
      type: list
      elements: dict
      returned: always
proof:
  description:
    - What was asked of the running nginx, and what came back.
    - Of a private nginx with the new credentials, where that was what stopped the call before the switch.
  returned: always
  type: list
  elements: dict
  contains:
    probe:
      description: What was tried.
      type: str
      returned: always
    target:
      description: Of whom.
      type: str
      returned: always
    expected:
      description: The answer that is right.
      type: str
      returned: always
    got:
      description: The answer that came.
      type: str
      returned: always
    verdict:
      description:
        - V(ok), V(failed), or V(inconclusive) where the answer says nothing.
        - V(was_failing) for what this call only carries over and failed before, too; also for a Server A that
          is down, as before, where a credential of part proxy only gets other CRLs.
      type: str
      returned: always
restored:
  description: The proof of the release from before, after it was taken back.
  returned: always
  type: list
  elements: dict
positive:
  description:
    - Whether the good client was let in wherever it was asked for.
    - V(unproven) where it was not, or there was no identity to ask with, or good and bad got one answer.
  returned: always
  type: str
  sample: proven
revocation:
  description:
    - V(not in force) where the release that was taken back had a newer CRL, or trusted fewer CAs, than the
      one that serves again.
  returned: always
  type: str
  sample: ""
draining_workers:
  description: Old workers that still finish their connections.
  returned: always
  type: int
shutdown_timeout_s:
  description:
    - After how many seconds nginx ends an old worker with the connections that it has, whoever has set
      C(worker_shutdown_timeout) in the configuration before this call.
    - Null where nothing ends it, and in check mode.
  returned: always
  type: int
  sample: 60
log:
  description: What happened beside the plan, and nginx's own error lines.
  returned: always
  type: list
  elements: str
plan:
  description: In check mode, what cannot be tested yet, and what a run would mend before its own work.
  returned: always
  type: list
  elements: str
seconds:
  description: Where the time went, by step.
  returned: always
  type: dict
"""

import os
from functools import partial
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.mutual_tls.nginx.plugins.module_utils._ansible.module import SecretModule
from ansible_collections.mutual_tls.nginx.plugins.module_utils._ansible.release_spec import ARGUMENT_SPEC
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.call import Outcome
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.task import Task
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.wiring import Library
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import _deps, foreign, release_findings

LIBRARY = Library(
    available=_deps.available,
    require=partial(_deps.require, _deps.WRITE_MINIMUM),
    tools=release_findings.tools,
    examiner=release_findings.examiner,
    decoder=release_findings.decoder,
    foreign=foreign.foreign_identity,
)


def result(outcome: Outcome, with_diff: bool) -> dict[str, Any]:
    """Warnings are told in another way."""
    left_out = ("warnings",) if with_diff else ("warnings", "diff")
    return {name: value for name, value in vars(outcome).items() if name not in left_out}


def finish(module: AnsibleModule, outcome: Outcome, fault: Optional[MtlsError] = None) -> None:
    for warning in outcome.warnings:
        module.warn(warning)
    values = result(outcome, module._diff)
    if fault is None:
        module.exit_json(**values)
    else:
        module.fail_json(msg=str(fault), code=fault.code, **values)


def main() -> None:
    module = SecretModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    os.umask(0o077)
    task = Task(module.params, module.check_mode, LIBRARY)
    try:
        task.run()
    except MtlsError as error:
        finish(module, task.outcome, error)
    else:
        finish(module, task.outcome)


if __name__ == "__main__":
    main()
