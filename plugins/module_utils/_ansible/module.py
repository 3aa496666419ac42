# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AnsibleModule for modules that take secrets inside of lists and dicts."""

from __future__ import annotations

from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule


class SecretModule(AnsibleModule):
    """An AnsibleModule that does not write its arguments to the host's log.

    Ansible logs the arguments of every call on the host (``_log_invocation``), and masks what is no_log in
    them. It turns a list or dict into text by ``str()`` first, where a line feed is ``\\n``: a PEM key below
    it no longer equals the secret that is looked for, and stands in the journal for everybody of the group
    adm to read (seen with core 2.21). A result is masked before it becomes text, so it is not concerned.
    """

    def log(self, msg: str, log_args: Optional[dict[str, Any]] = None) -> None:
        """Log *msg*; with *log_args*, which only the log of the call has, nothing but that it took place."""
        super().log(msg if log_args is None else "Invoked")
