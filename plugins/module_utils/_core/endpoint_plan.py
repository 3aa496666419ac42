# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one probe of `endpoint_info` asks, out of the module's own options and those of its list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Optional

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError

# Half of an identity, inherited beside half of another, would be a pair that does not match.
_WHOLE = (
    (
        "certificate_path",
        "certificate_content",
        "private_key_path",
        "private_key_content",
        "private_key_passphrase",
        "private_key_passphrase_path",
    ),
    ("trust_path", "trust_content"),
)


def merge(common: Mapping[str, Any], probes: Optional[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Return the options of each probe, in order; ``place`` names it in messages ("" for the only one).

    A value that is None is not given, and is taken from *common*. The options of an identity are
    inherited together or not at all, and so are those of the trust: one of them given, be it empty,
    shuts out the others of *common*. *probes* None: the one probe that *common* itself describes.
    """
    if probes is None:
        return [{**common, "name": "", "place": ""}]
    entries = []
    for number, own in enumerate(probes):
        given = {key: value for key, value in own.items() if value is not None}
        shut = {key for group in _WHOLE if given.keys() & set(group) for key in group}
        inherited = {key: None if key in shut else value for key, value in common.items()}
        entries.append({**inherited, "name": "", **given, "place": f"probes[{number}]."})
    return entries


def check(entry: Mapping[str, Any]) -> None:
    """Refuse a merged probe that cannot be meant. Raises MtlsError; the target is the probe's to check."""
    place = entry["place"]
    certificate = entry.get("certificate_path") or entry.get("certificate_content")
    for option in ("private_key_path", "private_key_content"):
        if entry.get(option) and not certificate:
            raise MtlsError(
                "There is a key and no certificate.", place + option, "Give the certificate, too."
            )
    for name, value in (entry.get("headers") or {}).items():
        if not isinstance(name, str) or isinstance(value, bool) or not isinstance(value, (str, int)):
            raise MtlsError(f"The value of {name} is not text.", f"{place}headers", "Put it in quotes.")
