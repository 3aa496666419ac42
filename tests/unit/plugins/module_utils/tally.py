# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run counts and tells at its end (conftest.py): comparisons, hostile examples, the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.differences import AREAS

# (what, of what) of this process: ("compared", "pairs"), ("differed", "pairs"), ("example", "slot crl").
COUNTS: Counter[tuple[str, str]] = Counter()


def summary(counts: Mapping[tuple[str, str], int]) -> list[str]:
    """The lines for the end of a run; none where nothing was counted."""
    compared = [
        f"compared with OpenSSL: {area:8} {counts['compared', area]:6} cases, "
        f"{counts.get(('differed', area), 0)} differed"
        for area in AREAS
        if counts.get(("compared", area))
    ]
    examples = {of_what: number for (what, of_what), number in sorted(counts.items()) if what == "example"}
    hostile = [f"hostile examples: {of_what:24} {number:6}" for of_what, number in examples.items()]
    model = [
        f"model: {of_what:36} {number:9}"
        for (what, of_what), number in sorted(counts.items())
        if what == "model"
    ]
    mutants = [f"mutant: {of_what}" for (what, of_what), number in sorted(counts.items()) if what == "mutant"]
    return (
        [*compared, *model, *mutants]
        + hostile
        + [f"hostile examples: {'all':24} {sum(examples.values()):6}"] * bool(examples)
    )
