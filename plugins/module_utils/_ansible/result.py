# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place where a fault becomes the text of a failed task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Callable

from .._core.errors import MtlsError, SeveralError

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


def failure(error: MtlsError) -> dict[str, Any]:
    """The arguments of ``fail_json``: `msg` for people, the rest for playbooks."""
    told = {"msg": str(error), "code": error.code, "place": error.place, "remedy": error.remedy}
    return {**told, "findings": error.findings} if isinstance(error, SeveralError) else told


def finish(module: AnsibleModule, work: Callable[[], Mapping[str, Any]]) -> None:
    """Ends *module* with what *work* returns, or with the fault that it raises."""
    try:
        result = work()
    except MtlsError as error:
        module.fail_json(**failure(error))
    else:
        module.exit_json(**result)
