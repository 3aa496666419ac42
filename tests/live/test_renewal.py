# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The units of docs/renewal.md, as they stand there, under a real systemd. Only Ansible is a stand-in."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from page import DOCS

UNIT = re.compile(r"^```ini\n# (/etc/systemd/system/(\S+))\n(.*?)^```", re.MULTILINE | re.DOTALL)
UNITS = {
    name: (path, text) for path, name, text in UNIT.findall((DOCS / "renewal.md").read_text(encoding="utf-8"))
}
RAN = "/srv/mtls/ran"
#: Writes down who ran what where, and ends as it is told.
ANSIBLE = f"""#!/bin/sh
echo "$(id -un) $(pwd) $*" >> {RAN}
exit $(cat /srv/mtls/code 2>/dev/null || echo 0)
"""
COMMANDS = {
    "mtls-rotate": "ansible /srv/mtls mutual_tls.nginx.rotate",
    "mtls-audit": "ansible /srv/mtls mutual_tls.nginx.audit -e audit_fail_on=never",
}
names = pytest.mark.parametrize("name", COMMANDS)


@pytest.fixture
def controller(machine: Any) -> Iterator[Any]:
    """A host with the units, and nothing of them started."""
    machine.sh("id ansible >/dev/null 2>&1 || useradd --home-dir /srv/mtls --create-home ansible")
    machine.write("/usr/bin/ansible-playbook", ANSIBLE)
    machine.sh(f"chmod 755 /usr/bin/ansible-playbook; rm -f {RAN} /srv/mtls/code")
    for path, text in UNITS.values():
        machine.write(path, text)
    machine.sh("systemctl daemon-reload")
    yield machine
    machine.sh(
        """
        systemctl disable --now mtls-rotate.timer mtls-audit.timer; systemctl reset-failed 'mtls-*'
        rm -rf /etc/systemd/system/mtls-* /var/lib/systemd/timers/stamp-mtls-* /usr/bin/ansible-playbook
        systemctl daemon-reload; userdel --remove ansible
        """,
        check=False,
    )


def ran(host: Any, lines: int, seconds: float = 20) -> list[str]:
    """What was run, once it is so many lines; waits so long."""
    end = time.monotonic() + seconds
    while True:
        found: list[str] = host.sh(f"cat {RAN} 2>/dev/null", check=False).splitlines()
        if len(found) >= lines or time.monotonic() > end:
            return found
        time.sleep(0.2)


def test_the_page_has_a_service_and_a_timer_of_each() -> None:
    assert sorted(UNITS) == sorted(f"{name}.{kind}" for name in COMMANDS for kind in ("service", "timer"))


def test_systemd_finds_no_fault_in_them(controller: Any) -> None:
    paths = " ".join(path for path, _text in UNITS.values())
    assert controller.sh(f"systemd-analyze verify {paths} 2>&1") == ""


def test_systemd_would_find_one(controller: Any) -> None:
    path, text = UNITS["mtls-rotate.timer"]
    controller.write(path, text.replace("Mon..Fri 09:00", "Mon..Fry 09:00"))
    assert "Fry" in controller.sh(f"systemd-analyze verify {path} 2>&1", check=False)


@names
def test_the_timer_makes_up_for_a_run_that_was_missed_and_runs_once(controller: Any, name: str) -> None:
    """As after a week off; without the delay by chance, for which no test wants to wait."""
    controller.write(f"/etc/systemd/system/{name}.timer.d/now.conf", "[Timer]\nRandomizedDelaySec=0\n")
    controller.sh(
        f"mkdir -p /var/lib/systemd/timers; touch -d '8 days ago' /var/lib/systemd/timers/stamp-{name}.timer"
    )
    controller.sh(f"systemctl daemon-reload; systemctl enable --now {name}.timer")
    assert ran(controller, 1) == [COMMANDS[name]]
    assert ran(controller, 2, seconds=3) == [COMMANDS[name]]
    assert controller.sh(f"systemctl show -P Result {name}.service") == "success"
    assert controller.sh(f"systemctl show -P NextElapseUSecRealtime {name}.timer") != ""


@names
def test_a_timer_that_missed_nothing_waits(controller: Any, name: str) -> None:
    controller.sh(f"systemctl enable --now {name}.timer")
    assert ran(controller, 1, seconds=3) == []
    assert controller.sh(f"systemctl is-active {name}.timer") == "active"


def test_a_run_that_fails_is_told(controller: Any) -> None:
    controller.sh("echo 2 > /srv/mtls/code")
    controller.sh("systemctl start mtls-rotate.service", check=False)
    assert controller.sh("systemctl is-failed mtls-rotate.service") == "failed"
    controller.sh("rm /srv/mtls/code; systemctl start mtls-rotate.service")
    assert controller.sh("systemctl is-failed mtls-rotate.service", check=False) == "inactive"
