# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is taken out of the inventory: a site, a route, a credential, a role, a host. It is the last file.

a leaves both groups. b, which was both, stays a Server A. c, which was both, stays a Server B: it asked all
three, and then b alone.
"""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from scene import BASE, CALLER, TOOLS

PARTNER = {"certificate": f"{TOOLS}/partner.pem", "key": f"{TOOLS}/partner.key"}
REMAINING = {
    "stranger": {"A on b": {"host": "b.example.com", "sni": "orders.example.com", **CALLER}},
    "c": {"B on c": {"host": "127.0.0.1", "port": 8080, "tls": False}},
}
#: Where host and asker are, and what leads there.
GOING: dict[str, tuple[str, dict[str, Any]]] = {
    "A on a": ("stranger", {"host": "a.example.com", "sni": "orders.example.com", **CALLER}),
    "A on c": ("stranger", {"host": "c.example.com", "sni": "orders.example.com", **CALLER}),
    "B on b": ("b", {"host": "127.0.0.1", "port": 8080, "tls": False, "path": "/own/"}),
    "B on b, for others": (
        "stranger",
        {"host": "b.example.com", "port": 8088, "tls": False, "path": "/four/12/"},
    ),
}
#: The same of what the first run takes off.
GONE: dict[str, tuple[str, dict[str, Any]]] = {
    "site": ("stranger", {"host": "b.example.com", "sni": "partners.example.com", **PARTNER}),
    "route": ("c", {"host": "127.0.0.1", "port": 8081, "tls": False}),
}


def ask(scene, asked: dict[str, tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """The status, or the error."""
    answers = {key: scene.lab.ask(scene.full(name), **question) for key, (name, question) in asked.items()}
    return {key: answer.get("status") or answer["error"] for key, answer in answers.items()}


def files(scene, name: str, pattern: str) -> list[str]:
    """Releases of that host that have such a file, the live one as `current`."""
    found = scene.run(name, f"cd {BASE}/releases && find . -path '*/{pattern}' -printf '%P\n'").split()
    releases = {path.partition("/")[0] for path in found}
    return sorted("current" if one == scene.live(name) else one for one in releases)


@pytest.fixture(name="day", scope="module")
def _day(multi):
    """The inventory without them, and site.yml; what was there before, and what it printed."""
    scene, dummy = multi
    before = ask(scene, GOING | GONE)
    had = {name: files(scene, *file) for name, file in FILES.items()}
    path = scene.project / "multi.yml"
    inventory = yaml.safe_load(path.read_text())
    servers, proxies = (
        inventory["all"]["children"][f"mtls_{group}"]["hosts"] for group in ("servers", "proxies")
    )
    del servers["a.example.com"], servers["c.example.com"], proxies["b.example.com"]
    for variables, kind, kept in (
        (servers["b.example.com"], "mtls_server_sites", ("orders", "hasty", "patient")),
        (servers["b.example.com"], "mtls_server_credentials", ("server",)),
        (proxies["c.example.com"], "mtls_proxy_routes", ("orders",)),
        (proxies["c.example.com"], "mtls_proxy_credentials", ("client",)),
    ):
        variables[kind] = [one for one in variables[kind] if one["name"] in kept]
    path.write_text(yaml.safe_dump(inventory))
    with scene.meanwhile(REMAINING) as watch:
        code, output = scene.site()
    output = " ".join(output.split())
    return {"before": before, "had": had, "code": code, "output": output, "watch": watch}


FILES = {
    "site": ("b", "server/sites/partners.conf"),
    "key of the site": ("b", "server/credentials/partners/privkey.pem"),
    "route": ("c", "proxy/routes/partners.conf"),
    "key of the route": ("c", "proxy/credentials/partner/privkey.pem"),
}


def test_a_site_a_route_and_a_credential(multi, day):
    """Their names lead nowhere, and the live release has none of their files. The one before has them."""
    scene, dummy = multi
    assert day["code"] == 0, day["output"]
    assert set(day["before"].values()) == {200}
    answers = ask(scene, GONE)
    assert "unrecognized name" in answers["site"].lower()
    assert "Connection refused" in answers["route"]
    for name, file in FILES.items():
        assert "current" in day["had"][name], name
        kept = files(scene, *file)
        assert kept, name
        assert "current" not in kept, name


def test_no_request_is_lost_where_a_server_leaves(multi, day):
    """Of three that c asked, one is left."""
    for question, answers in day["watch"].answers.items():
        assert {answer[:5] for answer in answers} == {"200, "}, (question, answers)


def test_what_a_host_serves_without_its_group_is_told_loudly(multi, day):
    scene, printed = multi
    remedy = "ansible-playbook --limit {}.example.com mutual_tls.nginx.remove"
    for name, group, what in (
        (
            "c",
            "mtls_servers",
            "Server A (sites any, four, ledger, one, orders, partners, returns, three, two)",
        ),
        ("b", "mtls_proxies", "Server B (routes "),
    ):
        assert f"WARNING: {name}.example.com is not in {group}, and goes on as {what}" in day["output"]
        assert remedy.format(name) in day["output"]
    assert "goes on as" not in printed
    assert set(ask(scene, GOING).values()) == {200}


@pytest.fixture(name="removed", scope="module")
def _removed(multi, day):
    """remove.yml for all three, and who was asked meanwhile; the masters of nginx before and after."""
    scene, dummy = multi
    masters = {name: scene.run(name, "cat /run/nginx.pid") for name in "abc"}
    with scene.meanwhile(REMAINING) as watch:
        code, output = remove(scene, "--limit", "a.example.com,b.example.com,c.example.com")
    return {"code": code, "output": output, "watch": watch, "masters": masters}


def remove(scene, *arguments: str) -> tuple[int, str]:
    code, output = scene.ansible("ansible-playbook", "mutual_tls.nginx.remove", *arguments)
    return code, " ".join(output.split())


def test_nobody_is_removed_who_was_not_named(multi, day):
    scene, dummy = multi
    code, output = remove(scene)
    assert code != 0
    assert "Name the hosts that have left mtls_servers or mtls_proxies" in output
    assert set(ask(scene, GOING).values()) == {200}


def test_a_role_goes_and_the_other_serves_on(multi, removed):
    scene, dummy = multi
    assert removed["code"] == 0, removed["output"]
    for told in (
        "a.example.com is in none of our groups. What it has beyond that: server.",
        "b.example.com is in mtls_servers. What it has beyond that: proxy.",
        "c.example.com is in mtls_proxies. What it has beyond that: server.",
    ):
        assert told in removed["output"]
    assert ["Connection refused" in str(answer) for answer in ask(scene, GOING).values()] == [True] * len(
        GOING
    )
    for question, answers in removed["watch"].answers.items():
        (answer,) = answers
        assert answer.startswith("200, "), (question, answers)
    assert {name: scene.run(name, "cat /run/nginx.pid") for name in "abc"} == removed["masters"]
    legacy = {"host": "c.example.com", "port": 9443, "sni": "legacy.example.com"}
    assert ask(scene, {"the user's own A": ("stranger", legacy)}) == {"the user's own A": 400}


def test_of_a_host_in_no_group_nothing_is_left(multi, removed):
    scene, dummy = multi
    left = scene.run(
        "a", f"ls -d {BASE} /etc/nginx/conf.d/mtls.conf /etc/nginx/modules-enabled/mtls.conf || true"
    )
    assert left == ""
    scene.run("a", "nginx -t -q && systemctl is-active nginx")


def test_keys_of_a_role_stay_in_releases_that_are_kept(multi, removed):
    """To go back to. Whoever deletes those by hand loses nothing else."""
    scene, dummy = multi
    for name, part in (("b", "proxy"), ("c", "server")):
        kept = files(scene, name, f"{part}/credentials/*/privkey.pem")
        assert kept, name
        assert "current" not in kept
        keys = f"{BASE}/releases/{kept[0]}/{part}/credentials/*/privkey.pem"
        assert set(scene.run(name, f"stat -c %a {keys}").split()) == {"600"}
        live = scene.live(name)
        scene.run(name, f"cd {BASE}/releases && ls -A | grep -vx -e {live} -e empty | xargs rm -r")
        result = scene.release(name)
        assert (result.code, result.told["state"], result.told["changed"]) == (0, "stable", False), (
            result.told
        )
        assert (scene.live(name), scene.releases(name)) == (live, {live, "empty"})


def test_a_second_time_nothing_changes(multi, removed):
    scene, dummy = multi
    code, output = remove(scene, "--limit", "a.example.com,b.example.com,c.example.com")
    assert code == 0, output
    assert output.count("changed=0") == 3
    assert output.count("What it has beyond that: nothing.") == 3
