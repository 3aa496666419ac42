# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attributes that modules have in common: each names the fragment and says what its support is."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and tell what it would change, without changing anything.
  diff_mode:
    description: Returns what has changed, or would change, without any secret.
  idempotent:
    description: A second run with the same arguments changes nothing.
  platform:
    description: The systems that it manages.
    platforms: posix
    support: full
"""

    # Of modules that only look.
    INFO = r"""
options: {}
attributes:
  check_mode:
    description: Works the same in check mode, since nothing is changed.
    support: full
  diff_mode:
    description: Would show what a change is about.
    support: N/A
    details: There is nothing to change.
  idempotent:
    description: A second run changes nothing.
    support: full
  platform:
    description: Where the module runs.
    platforms: posix
    support: full
"""
