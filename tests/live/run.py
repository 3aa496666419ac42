# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a module on the host it lies on, as Ansible would: options as JSON on stdin, the result on stdout.

run.py [MODULE]; without a name it is `release`.
"""

from __future__ import annotations

import importlib
import json
import sys

from ansible.module_utils import basic

basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": json.load(sys.stdin)}).encode()
basic._ANSIBLE_PROFILE = "legacy"
name = sys.argv[1] if len(sys.argv) > 1 else "release"
importlib.import_module(f"ansible_collections.mutual_tls.nginx.plugins.modules.{name}").main()
