# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place where a fault becomes the text of a failed task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Callable

from .._core.errors import MtlsError, SeveralError
from .._core.findings import SEVERITIES

if TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

NEVER = "never"


def failure(error: MtlsError) -> dict[str, Any]:
    """The arguments of ``fail_json``: `msg` for people, the rest for playbooks."""
    told = {"msg": str(error), "code": error.code, "place": error.place, "remedy": error.remedy}
    return {**told, "findings": error.findings} if isinstance(error, SeveralError) else told


def finish(module: AnsibleModule, work: Callable[[], Mapping[str, Any]], fail_on: str = NEVER) -> None:
    """Ends *module* with what *work* returns, or with the fault that it raises.

    *fail_on*: with `error` or `warning`, a finding of that severity or a worse one in `findings` fails the
    task, which then has the whole result all the same.
    """
    try:
        result = work()
    except MtlsError as error:
        module.fail_json(**failure(error))
    else:
        grave = _grave(result.get("findings", []), fail_on)
        if grave:
            module.fail_json(**{**result, "msg": summary(grave)})
        else:
            module.exit_json(**result)


def _grave(findings: Sequence[Mapping[str, Any]], fail_on: str) -> list[Mapping[str, Any]]:
    """Those of *fail_on* or worse, the worst first."""
    counted = SEVERITIES[: SEVERITIES.index(fail_on) + 1] if fail_on in SEVERITIES else ()
    found = [finding for finding in findings if finding["severity"] in counted]
    return sorted(found, key=lambda finding: SEVERITIES.index(finding["severity"]))


def summary(grave: Sequence[Mapping[str, Any]]) -> str:
    """How many there are of each severity, and the first one in full."""
    counts = [(sum(one["severity"] == severity for one in grave), severity) for severity in SEVERITIES]
    numbers = " and ".join(f"{count} {word}{'s' * (count > 1)}" for count, word in counts if count)
    first = grave[0]
    where = ": ".join(text for text in (first.get("credential"), first["place"]) if text)
    return f"{numbers}. {where + ': ' if where else ''}{first['message']} {first['remedy']}"
