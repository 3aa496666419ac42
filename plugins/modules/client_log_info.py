#!/usr/bin/python
# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: client_log_info
short_description: Say which clients Server A has seen, and by which issuer, from its access logs
version_added: 0.1.0
author:
  - The mutual_tls.nginx maintainers (@mutual-tls-nginx)
description:
  - Reads the access logs of Server A's sites on the host, with what logrotate made of them, and tells each
    client certificate that verified, with its issuer, how often it asked, and when.
  - So it answers whether clients of an old authority still come before that one is taken out.
  - RV(complete) says whether the logs tell of everybody. Where they do not, RV(unknown) says why, and a
    client that is not listed may have been there all the same.
notes:
  - Files compressed with gzip, bzip2 and xz are read. Others, such as zstd, make the result incomplete.
  - A request is logged when it ends. One that still runs, such as a WebSocket, is not in the log.
  - What was removed without a trace cannot be seen, such as a rotated file with a date in its name.
  - The log of a site that came within the time is complete when it begins with the site. When that was is
    known of a site that came with the live release, and of one that was in the first release on the host.
  - Of one log 10,000 clients are told at most. Further ones are counted in RV(sites[].left_out).
extends_documentation_fragment:
  - mutual_tls.nginx.attributes.info
options:
  base:
    description: The directory of releases (C(nginx_mtls_base)). Its live release says which sites there are.
    type: path
    default: /etc/nginx/mtls
  sites:
    description: The names of the sites whose logs are read. Without it, all of the live release.
    type: list
    elements: str
  paths:
    description:
      - Files to read instead, as one log, the oldest first. Nothing is looked for beside them.
      - For logs that were moved to another place or by another program than logrotate.
    type: list
    elements: path
  since:
    description: The time from which on requests count, RFC 3339.
    type: str
    default: ""
  days:
    description: How many days before O(at) requests count, where O(since) is not given.
    type: float
    default: 7
  at:
    description:
      - The time from which O(days) go back, RFC 3339. Without it, the host's clock.
      - What was logged later counts as well.
    type: str
    default: ""
  clients:
    description:
      - The clients that are looked for. Who is one of them is told in RV(sites[].clients[].matched).
      - An element with a serial number is one certificate, one without is all of that issuer.
      - Two authorities of one name can be told apart by serial numbers only.
    type: list
    elements: dict
    suboptions:
      issuer:
        description: The issuer as nginx writes it, such as V(CN=mtls CA 1).
        type: str
        required: true
      serial:
        description: The serial number in hexadecimal.
        type: str
"""

EXAMPLES = r"""
- name: Who came with a certificate of the old authority in the last week
  mutual_tls.nginx.client_log_info:
    clients:
      - issuer: CN=mtls CA 1
  register: seen

- name: Nobody any more, as far as the logs go back
  ansible.builtin.assert:
    that:
      - seen.complete
      - clients | selectattr('matched') | rejectattr('only_probes') | length == 0
      - seen.sites | map(attribute='left_out.matched') | sum == 0
    fail_msg: "{{ seen.unknown }}"
  vars:
    clients: "{{ seen.sites | map(attribute='clients') | flatten }}"

- name: The same certificate, by its serial number, in one site's log
  mutual_tls.nginx.client_log_info:
    sites: [orders]
    since: "2026-11-01T00:00:00Z"
    clients:
      - issuer: CN=mtls CA 1
        serial: 1FAB

- name: Logs that were collected elsewhere
  mutual_tls.nginx.client_log_info:
    paths:
      - /srv/logs/a1/orders-2026-11-21.xz
      - /srv/logs/a1/orders-2026-11-22
    days: 2
"""

RETURN = r"""
since:
  description: The time from which on requests count.
  returned: success
  type: str
  sample: "2026-11-15T00:00:00Z"
release:
  description: The id of the live release, null where there is none.
  returned: success
  type: str
  sample: 0a1b2c3d4e5f6071
complete:
  description: Whether the logs of all sites tell of all requests since RV(since), as far as that can be seen.
  returned: success
  type: bool
unknown:
  description: Why they do not, each sentence with its site. Empty where RV(complete).
  returned: success
  type: list
  elements: str
  sample: ["orders: /var/log/nginx/mtls-orders.access.log.2.zst: It is compressed with zstd, not read here."]
sites:
  description: One element for each log, by the site's name.
  returned: success
  type: list
  elements: dict
  contains:
    site:
      description: The name of the site, empty for O(paths).
      type: str
      returned: always
      sample: orders
    paths:
      description: The files that were read, the oldest first.
      type: list
      elements: str
      returned: always
      sample: [/var/log/nginx/mtls-orders.access.log.1, /var/log/nginx/mtls-orders.access.log]
    covers_since:
      description: When the first line in them was written. Null where no line can be read.
      type: str
      returned: always
      sample: "2026-11-14T06:25:01Z"
    covers_until:
      description: When the last one was.
      type: str
      returned: always
      sample: "2026-11-22T03:31:33Z"
    complete:
      description: Whether this log tells of all requests since RV(since), as far as that can be seen.
      type: bool
      returned: always
    unknown:
      description: Why it does not.
      type: list
      elements: str
      returned: always
    lines:
      description: How many lines the files have, those before RV(since) included.
      type: int
      returned: always
      sample: 12345
    unreadable_lines:
      description: Lines since then that cannot be read.
      type: dict
      returned: always
      contains:
        count:
          description: How many.
          type: int
          returned: always
        places:
          description: File and line of the first ones.
          type: list
          elements: str
          returned: always
      sample: {count: 1, places: ["/var/log/nginx/mtls-orders.access.log:17"]}
    not_verified:
      description: Requests of clients whose certificate did not verify, or that sent none.
      type: dict
      returned: always
      contains:
        requests:
          description: How many.
          type: int
          returned: always
        reasons:
          description: How many by each outcome, as nginx writes it.
          type: dict
          returned: always
      sample: {requests: 3, reasons: {NONE: 2, "FAILED:certificate has expired": 1}}
    clients:
      description: The client certificates that verified.
      type: list
      elements: dict
      returned: always
      contains:
        issuer:
          description: The issuer, as nginx writes it.
          type: str
          returned: always
          sample: CN=mtls CA 1
        serial:
          description: The serial number, as nginx writes it.
          type: str
          returned: always
          sample: 1FAB
        subject:
          description: The subject, as nginx writes it.
          type: str
          returned: always
          sample: CN=b1.example.com
        sha1:
          description: SHA-1 of the certificate.
          type: str
          returned: always
        verify:
          description: Always V(SUCCESS).
          type: str
          returned: always
          sample: SUCCESS
        requests:
          description: How many requests it made, whatever the answer was.
          type: int
          returned: always
          sample: 42
        first_seen:
          description: When the first of them ended.
          type: str
          returned: always
          sample: "2026-11-15T06:25:01Z"
        last_seen:
          description: When the last one did.
          type: str
          returned: always
          sample: "2026-11-21T22:10:00Z"
        addresses:
          description: The first five addresses that it came from.
          type: list
          elements: str
          returned: always
          sample: [192.0.2.10]
        only_probes:
          description:
            - Whether it asked for nothing but the probe path, as the proof of a release does, or is a probe
              identity, which is let in nowhere else.
          type: bool
          returned: always
        matched:
          description: Whether it is one of O(clients). Null without that option.
          type: bool
          returned: always
    left_out:
      description: Further clients, for which there was no room.
      type: dict
      returned: always
      contains:
        requests:
          description: How many requests they made.
          type: int
          returned: always
        matched:
          description: How many of these were made by O(clients).
          type: int
          returned: always
        last_seen:
          description: When the last one was. Null where nobody was left out.
          type: str
          returned: always
      sample: {requests: 0, matched: 0, last_seen: null}
"""

from datetime import datetime, timezone
from typing import Any

from ansible_collections.mutual_tls.nginx.plugins.module_utils._ansible.module import SecretModule
from ansible_collections.mutual_tls.nginx.plugins.module_utils._ansible.result import finish
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.client_log import look

ARGUMENT_SPEC: dict[str, Any] = {
    "base": {"type": "path", "default": "/etc/nginx/mtls"},
    "sites": {"type": "list", "elements": "str"},
    "paths": {"type": "list", "elements": "path"},
    "since": {"type": "str", "default": ""},
    "days": {"type": "float", "default": 7},
    "at": {"type": "str", "default": ""},
    "clients": {
        "type": "list",
        "elements": "dict",
        "options": {"issuer": {"type": "str", "required": True}, "serial": {"type": "str"}},
    },
}


def main() -> None:
    module = SecretModule(
        argument_spec=ARGUMENT_SPEC, mutually_exclusive=[["sites", "paths"]], supports_check_mode=True
    )
    now = datetime.now(timezone.utc)
    finish(module, lambda: look(module.params, now))


if __name__ == "__main__":
    main()
