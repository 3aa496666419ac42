# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which findings about its credentials stop a release before anything is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .desired import Desired
from .errors import MtlsError
from .findings import ERROR

#: Without the other side's trust these are warnings, but the other side refuses them whatever it trusts.
_REFUSED_THERE = "purpose."


def refuse_errors(desired: Desired, shown: Sequence[Mapping[str, Any]]) -> None:
    """Raises MtlsError for an error in a credential that is changed; the rest is only reported.

    *shown*: the credentials of *desired* as the result has them, with their findings.
    """
    touched = {(one.part, one.name) for one in desired.credentials if one.changed}
    errors = [
        (credential, finding)
        for credential in shown
        if (credential["part"], credential["name"]) in touched
        for finding in credential["findings"]
        if finding["severity"] == ERROR or finding["code"].startswith(_REFUSED_THERE)
    ]
    if errors:
        credential, finding = errors[0]
        place = f"{credential['part']} credential {credential['name']}"
        where = f"{place}: {finding['place']}" if finding["place"] else place
        more = f" ({len(errors) - 1} more errors in credentials[].findings.)" if len(errors) > 1 else ""
        raise MtlsError(f"{finding['message']}{more}", where, finding["remedy"], finding["code"])
