# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The transaction's memory and what the next run does with it: pure data, no file and no clock.

``switched`` is written before the link moves and ``stable`` after the proof, so whatever kills a run leaves
one of the rows that ``recover`` knows.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any, Optional

from .release import EMPTY, is_release_id

STEPS = ("staged", "checked", "switched", "reloaded", "proven", "stable", "rolling_back", "rolled_back")
#: Steps after which nothing is left to do.
AT_REST = ("stable", "rolled_back")


@dataclass(frozen=True)
class State:
    """state.json. *origin* is the release to go back to, *target* the one wanted; *since* is RFC 3339.

    *prepared*: a release that was checked and waits for its switch; *own*: what of it is not carried over
    (``prepared.own_paths``). After the switch it names the live one, so that the same call is no change.
    *back*: *target* was wanted by going back, so *origin* is what was taken off.
    """

    step: str
    origin: str
    target: str
    since: str = ""
    reason: str = ""
    prepared: str = ""
    own: tuple[str, ...] = ()
    back: bool = False

    @property
    def way_back(self) -> str:
        """Where going back leads, "" where that is not known. Going back again goes no further, nor forward
        to what was just taken off; ``empty`` is no release to serve."""
        if self.back:
            return self.target
        return self.origin if self.step == "stable" and self.origin not in (self.target, EMPTY) else ""

    @property
    def home(self) -> str:
        """The release that a run at rest left live; for a run under way the one that was proven before."""
        return self.target if self.step in ("stable", "proven") else self.origin

    def to_dict(self) -> dict[str, Any]:
        data = {**asdict(self), "own": list(self.own)}
        return {"step": data.pop("step"), "from": data.pop("origin"), "to": data.pop("target"), **data}


def read_state(data: object) -> Optional[State]:
    """The state that *data* (parsed JSON) holds; None where it is not one, as for a torn or foreign file."""
    if not isinstance(data, dict):
        return None
    step, origin, target = data.get("step"), data.get("from"), data.get("to")
    if step not in STEPS or not isinstance(origin, str) or not isinstance(target, str):
        return None
    if not is_release_id(origin) or not is_release_id(target):
        return None
    texts = {name: str(data.get(name) or "") for name in ("since", "reason", "prepared")}
    own = data.get("own")
    if not is_release_id(texts["prepared"]) or not isinstance(own, list):
        texts["prepared"], own = "", []
    return State(str(step), origin, target, own=tuple(map(str, own)), back=data.get("back") is True, **texts)


class Action(Enum):
    """What a run does first, before its own work."""

    LAY_EMPTY = "lay down the empty release"
    GO_ON = "nothing to recover"
    ADOPT = "take the live release over: reload and prove it"
    FINISH = "finish the interrupted switch, or go back"
    COMMIT = "the proof was already complete: write stable"
    ROLL_BACK = "finish the interrupted rollback"
    RESTORE = "put the link back"
    REFUSE = "nothing whole to go back to"


@dataclass(frozen=True)
class Recovery:
    """*origin*: where a failure goes back to.

    *live*: what the link names after the action. *reason* for people.
    """

    action: Action
    origin: str
    live: str
    reason: str = ""

    @property
    def unproven(self) -> bool:
        """Nobody has seen the live release served yet: it must be reloaded and proven even if it is
        wanted."""
        return self.action in (Action.ADOPT, Action.FINISH, Action.RESTORE)

    @property
    def unfinished(self) -> bool:
        """A run ended without its last line: any call, also one that is refused, ends its work first."""
        stopped = self.action is Action.GO_ON and bool(self.reason)
        return self.unproven or stopped or self.action is Action.ROLL_BACK

    @property
    def unseen(self) -> bool:
        """Nothing to undo on disk, but nobody has seen what nginx serves: a run was cut short while the link
        is, or is again, where it was; or all but the releases is gone."""
        return not self.unproven and (self.unfinished or self.action is Action.LAY_EMPTY)


def recover(state: Optional[State], link: Optional[str], whole: frozenset[str], fresh: bool) -> Recovery:
    """The row of the recovery table for what was found.

    *link*: the release that ``current`` names, None if it is missing or leads nowhere. *whole*: the releases
    whose bytes make up their id. *fresh*: there is no link at all and no state file, not even an unreadable
    one.
    """
    if fresh:
        return Recovery(Action.LAY_EMPTY, EMPTY, EMPTY)
    if link is None or link not in whole:
        return _without_link(state, link, whole)
    if state is None:
        return Recovery(Action.ADOPT, link, link, f"state.json is missing or unreadable; {link} is live")
    if state.step == "rolling_back":
        if state.origin not in whole:
            return Recovery(
                Action.REFUSE, state.origin, link, f"release {state.origin} is not whole any more"
            )
        return Recovery(
            Action.ROLL_BACK, state.origin, state.origin, f"a rollback to {state.origin} was cut short"
        )
    return _with_both(state, link, whole)


def _without_link(state: Optional[State], link: Optional[str], whole: frozenset[str]) -> Recovery:
    back = state.home if state else EMPTY
    found = f"the live release {link} is not what was written" if link else "current leads nowhere"
    # `empty` can always be written again; any other release must still be there, whole.
    if back == EMPTY or (back != link and back in whole):
        return Recovery(Action.RESTORE, back, back, f"{found}: back to {back}")
    return Recovery(Action.REFUSE, back, link or "", f"{found}, and there is no whole release to go back to")


def _with_both(state: State, link: str, whole: frozenset[str]) -> Recovery:
    if state.step in (*AT_REST, "proven"):
        if link == state.home:
            if state.step in AT_REST:
                return Recovery(Action.GO_ON, link, link)
            reason = f"release {link} was proven, but not yet written stable"
            return Recovery(Action.COMMIT, link, link, reason)
        back, reason = state.home, f"current was moved by hand from {state.home} to {link}"
    else:
        if link == state.origin:
            return Recovery(Action.GO_ON, link, link, f"a run stopped at '{state.step}' before it switched")
        back, reason = state.origin, f"a run stopped at '{state.step}' after it switched"
    if back not in whole and back != EMPTY:
        return Recovery(Action.ADOPT, link, link, f"{reason}, and release {back} is not whole any more")
    return Recovery(Action.FINISH, back, link, reason)


def removable(newest_first: list[str], keep: int, protected: frozenset[str]) -> list[str]:
    """Releases that cleaning takes away, so that *keep* stay: *protected* ones, which all stay, count first,
    then the newest. ``empty`` stays, and does not count."""
    others = [one for one in newest_first if one not in protected and one != EMPTY]
    counted = sum(one in protected and one != EMPTY for one in newest_first)
    return others[max(keep - counted, 0) :]
