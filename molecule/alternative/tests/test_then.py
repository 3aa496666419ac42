# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The day after: a client is revoked, a name is added. It changes the hosts, so it is the last file."""

from __future__ import annotations

import json
import re

import pytest
from alternative import BASE, ORDERS, ORDERS_2, TOOLS
from cryptography import x509


def of_b1(project) -> x509.Certificate:
    content = project.host("b1").file(f"{BASE}/current/proxy/credentials/client/fullchain.pem").content
    return x509.load_pem_x509_certificate(content)


@pytest.fixture(scope="module")
def day(project):
    """Another list of revoked ones, another name of b1: what the revoked one then got, what b1 had before."""
    before = {"b1 before": of_b1(project), "a2 before": project.live("a2")}
    pair = {"certificate": f"{TOOLS}/late.pem", "key": f"{TOOLS}/late.key"}
    waiting = project.asking(**ORDERS, **pair)
    project.edit("host_vars/a1.example.com.yml", "/partners.crl", "/partners-late.crl")
    project.edit("host_vars/b1.example.com.yml", "b1.internal.example.com", "b1.other.example.com")
    project.edit("host_vars/a2.example.com.yml", "timeouts: {read: 1s}", "timeouts: {read: 2s}")
    printed = project.site()
    return {**before, "printed": printed, "late": json.loads(waiting.communicate("\n", timeout=20)[0])}


def test_before(ask):
    """The twin of what follows: the client gets in, and its session is resumed."""
    answer = ask("late", **ORDERS, again=True)
    assert (answer["status"], answer["resumed"]) == (200, True)


def test_a_client_that_was_revoked_has_no_session_left(day, ask):
    assert (day["late"]["status"], day["late"]["resumed"]) == (400, False)
    assert ask("late", **ORDERS)["status"] == 400
    assert ask("by-serial", **ORDERS, again=True)["resumed"] is True
    assert ask("late", **ORDERS_2)["status"] == 200  # whose list is another


def test_what_is_a_risk_is_told(day, project):
    """Each run says so, on the screen."""
    said = " ".join(day["printed"].split())
    assert f"whoever reaches {project.address('b1')}:8088 speaks with" in said
    assert "site open: verify optional_no_ca lets forged certificates in" in said
    # Of B's five days are wanted, and more are left.
    due = re.findall(r"(\w+)\.example\.com (\w+): WARNING: the certificate of [a-z-]+ is due: \d+ days", said)
    assert ("a1", "server") in due
    assert "proxy" not in {side for host, side in due}


def test_another_name_has_the_key_of_before(day, project):
    now = of_b1(project)
    names = now.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["b1.example.com", "b1.other.example.com"]
    assert now.serial_number != day["b1 before"].serial_number
    assert now.public_key() == day["b1 before"].public_key()


def test_as_many_releases_are_kept_as_were_asked_for(day, project):
    """One to go back to: the third of a2 took the first with it, which it had before it was a B as well."""
    listed = project.host("a2").run_expect([0], f"ls {BASE}/releases").stdout.split()
    assert set(listed) == {
        "empty",
        day["a2 before"].rpartition("/")[2],
        project.live("a2").rpartition("/")[2],
    }
    assert len(listed) == 3
