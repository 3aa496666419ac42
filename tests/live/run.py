# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs `release` on the host it lies on, as Ansible would: options as JSON on stdin, the result on stdout."""

from __future__ import annotations

import json
import sys

from ansible.module_utils import basic

from ansible_collections.mutual_tls.nginx.plugins.modules import release

basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": json.load(sys.stdin)}).encode()
basic._ANSIBLE_PROFILE = "legacy"
release.main()
