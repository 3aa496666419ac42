# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a call asks for as values: which parts, kept from which release, and whether that may be."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional

from . import release
from .errors import MtlsError
from .forms.pem import ders
from .transaction import State

PREPARED = "prepared"
_NOTHING: dict[str, dict[str, list[Any]]] = {
    "server": {"credentials": [], "sites": []},
    "proxy": {"credentials": [], "routes": [], "listeners": []},
}


@dataclass(frozen=True)
class Intent:
    """*state*: present, absent or rolled_back. *parts* as the module's option. *until*: stable or checked.

    *to*: the release to go back to, or ``prepared``, the one that an earlier call has checked.
    """

    state: str = "present"
    parts: Mapping[str, Any] = field(default_factory=dict)
    to: str = ""
    until: str = "stable"

    def check(self) -> None:
        """Raises MtlsError for options that say nothing together."""
        if self.to_prepared and (self.state != "present" or self.parts):
            raise MtlsError(
                "It switches to what was given when it was prepared.",
                "to: prepared",
                "Leave parts and state out.",
            )
        if self.to and not self.to_prepared and self.state != "rolled_back":
            raise MtlsError(
                "It names a release to go back to.", "to", "Leave it out, or set state: rolled_back."
            )
        if self.until == "checked" and (self.state != "present" or self.to):
            raise MtlsError(
                "Only what is given by parts can be prepared.", "until: checked", "Leave state and to out."
            )
        if self.parts and self.state == "rolled_back":
            raise MtlsError("A whole release is taken back, not a part.", "parts", "Leave parts out.")

    @property
    def to_prepared(self) -> bool:
        return self.to == PREPARED

    @property
    def given(self) -> Mapping[str, Any]:
        """The parts to lay over what is kept; an absent part is one with nothing in it."""
        if self.state == "absent":
            return {part: _NOTHING[part] for part in release.PARTS if not self.parts or part in self.parts}
        return self.parts if self.state == "present" else {}

    @property
    def takes_all(self) -> bool:
        return self.state == "absent" and set(self.given) == set(release.PARTS)


def intent_of(params: Mapping[str, Any]) -> Intent:
    """Of the module's *params*; a part that is not given is no part."""
    parts = {name: given for name, given in (params["parts"] or {}).items() if given is not None}
    return Intent(params["state"], parts, params["to"] or "", params["until"])


def rollback_target(intent: Intent, state: Optional[State], live: str, whole: frozenset[str]) -> str:
    """The release to go back to: ``to``, also where it is live already, else the one before the live one.
    Where the live one was gone back to, it stays.

    Raises MtlsError without one.
    """
    target = intent.to or (state.way_back if state else "")
    if not target:
        raise MtlsError(
            f"No release is known from before {live}.", "state: rolled_back", "Name one of them with `to`."
        )
    if target not in whole:
        raise MtlsError(
            f"There is no whole release {target}; there are {', '.join(sorted(whole))}.",
            "to",
            "Name one of these, or rotate forward.",
        )
    return target


def prepared_release(state: Optional[State], whole: frozenset[str]) -> State:
    """The state that names a prepared release. Raises MtlsError where there is none, or not all of it."""
    remedy = "Prepare it again: the same call as before, with until: checked."
    if state is None or not state.prepared:
        raise MtlsError("No release is prepared on this host.", "to: prepared", remedy)
    if state.prepared not in whole:
        raise MtlsError(
            f"The prepared release {state.prepared} is not what was written.", "to: prepared", remedy
        )
    return state


def refuse_older_trust(live: Mapping[str, bytes], target: Mapping[str, bytes]) -> None:
    """Raises MtlsError where *target* trusts a CA that *live* does not, or has another CRL or none.

    A CRL that is another one counts as older: what is newer than the live one is no way back. A credential
    that the live release has no more, or by another name, is held against all of its part that share a CA.
    """
    for part in release.PARTS:
        known = {name: _trusted(live, part, name) for name in release.credential_names(live, part)}
        for name in release.credential_names(target, part):
            there, trusts = release.credential_files(target, part, name), _trusted(target, part, name)
            beside = [name] if name in known else [one for one in known if known[one] & trusts]
            lists = [release.credential_files(live, part, one).get("crl.pem") for one in beside]
            older = any(crl is not None and crl != there.get("crl.pem") for crl in lists)
            trusted = known[name] if name in known else set().union(*known.values())
            if older or (any(known.values()) and trusts - trusted):
                raise MtlsError(
                    "That release has another CRL, or none."
                    if older
                    else "That release trusts a CA that is gone.",
                    f"{part} credential {name}",
                    "Do not go back: rotate forward, and the trust stays what it is.",
                    "rollback.trust_older",
                )


def _trusted(source: Mapping[str, bytes], part: str, name: str) -> set[str]:
    found = ders(release.credential_files(source, part, name).get("trust.pem", b""))
    return {hashlib.sha256(der).hexdigest() for der in found}
