# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Going back on purpose, preparing today and switching tomorrow, leaving a host: each under the prober."""

from __future__ import annotations

import pytest
from scene import BASE, pair, parts

PKI = "pki/rollback"
pytestmark = pytest.mark.usefixtures("files")


def server(certificate: str = "", *trusted: str) -> dict:
    """The option `parts` for a's own certificate, or the authorities that it trusts."""
    given = pair(PKI, certificate) if certificate else {}
    if trusted:
        given["trust"] = {"sources": [{"src": f"{PKI}/{name}.pem"} for name in trusted]}
    return parts("server", given)


def test_back_to_the_release_before_and_to_a_named_one(scene, watched_release):
    first = scene.change("a", server("good-server", "root"))
    second = scene.change("a", server("newer-server"))
    third = scene.change("a", server("other-server"))
    assert len({first, second, third}) == 3

    result, watch = watched_release("a", state="rolled_back")
    watch.handed_over()
    told = result.told
    assert (result.code, told["state"], told["changed"]) == (0, "stable", True)
    assert (told["release"], told["previous"], scene.live("a")) == (second, third, second)
    assert (told["positive"], told["restored"]) == ("proven", [])

    result = scene.release("a", state="rolled_back", to=first)
    assert (result.code, result.told["state"], result.told["release"]) == (0, "stable", first)

    before = scene.snapshot("a")
    result = scene.release("a", state="rolled_back", to="0123456789abcdef")
    assert result.code != 0
    assert second in result.told["msg"]
    assert scene.snapshot("a") == before


@pytest.mark.whole
def test_never_back_to_a_ca_that_is_gone(scene, watched_release):
    """Its twin: what goes back has the trust of today."""
    wide = scene.change("a", server("good-server", "root", "foreign-ca"))
    scene.change("a", server("good-server", "root"))
    before = scene.snapshot("a")
    result, watch = watched_release("a", state="rolled_back", to=wide)
    watch.undisturbed()
    assert (result.code != 0, result.told["code"]) == (True, "rollback.trust_older")
    assert "rotate forward" in result.told["msg"]
    assert scene.snapshot("a") == before

    narrow = scene.change("a", server("newer-server"))
    scene.change("a", server("good-server"))
    result = scene.release("a", state="rolled_back", to=narrow)
    assert (result.code, result.told["release"]) == (0, narrow)


@pytest.mark.whole
def test_keep(scene):
    """As many as are wanted, those that were live last; never fewer than the live one and the one before."""
    kinds = ("good-server", "newer-server", "other-server", "third-server")
    made = [scene.change("a", server(kind), keep=4) for kind in kinds]
    assert scene.releases("a") == {"empty", *made}
    assert scene.change("a", server("newer-server"), keep=3) == made[1]
    assert scene.releases("a") == {"empty", made[1], made[2], made[3]}
    assert scene.change("a", server("good-server"), keep=1) == made[0]
    assert scene.releases("a") == {"empty", made[0], made[1]}


@pytest.mark.whole
def test_prepared_today_and_switched_to_tomorrow(scene, watched_release):
    """In between another call changes a block: what was not prepared is as it is now."""
    before = scene.change("a", server("good-server", "root"))
    result, watch = watched_release("a", until="checked", parts=server("newer-server"))
    watch.undisturbed()
    told = result.told
    assert (result.code, told["state"], told["changed"]) == (0, "checked", True)
    assert (told["release"], scene.live("a")) == (before, before)
    prepared = told["prepared"]
    assert prepared in scene.releases("a")
    again = scene.release("a", until="checked", parts=server("newer-server"))
    assert (again.code, again.told["changed"], again.told["prepared"]) == (0, False, prepared)

    sites = scene.blocks("a", "server/sites")
    sites[0]["content"] += "# another one's change\n"
    meanwhile = scene.change("a", {"server": {"sites": sites}})
    result, watch = watched_release("a", to="prepared")
    watch.handed_over()
    told = result.told
    assert (result.code, told["state"], told["changed"]) == (0, "stable", True)
    assert (told["release"], told["previous"]) == (scene.live("a"), meanwhile)
    assert told["release"] not in (meanwhile, prepared)
    assert scene.blocks("a", "server/sites") == sites
    wanted = (scene.pki / "rollback" / "newer-server.pem").read_text()
    assert scene.run("a", f"cat {BASE}/current/server/credentials/server/fullchain.pem") == wanted
    again = scene.release("a", to="prepared")
    assert (again.code, again.told["changed"], again.told["release"]) == (0, False, told["release"])


def test_what_is_bad_is_not_prepared(scene):
    before, listed = scene.snapshot("a"), scene.releases("a")
    parts = server("newer-server")
    parts["server"]["credentials"][0]["private_key_src"] = f"{PKI}/good-server.key"
    result = scene.release("a", until="checked", parts=parts)
    assert (result.code != 0, result.told["code"]) == (True, "pair.key_mismatch")
    assert (scene.snapshot("a"), scene.releases("a")) == (before, listed)


@pytest.mark.whole
def test_a_site_yml_of_bad_files_leaves_the_host_as_it_is(scene):
    """c's pair for the user's own A is another authority's. Its twin, first: the files as they are."""
    code, output = scene.site("--limit", "c.example.com")
    assert code == 0, output
    assert "c.example.com proxy: stable" in output

    files = [scene.pki / f"c-legacy.{suffix}" for suffix in ("pem", "key")]
    kept = {path: path.read_bytes() for path in files}
    before = scene.snapshot("c")
    try:
        for path in files:
            path.write_bytes((scene.pki / "rollback" / f"foreign-legacy{path.suffix}").read_bytes())
        with scene.watched("c") as watch:
            code, output = scene.site("--limit", "c.example.com")
    finally:
        for path, data in kept.items():
            path.write_bytes(data)
    watch.undisturbed()
    assert code == 2
    assert "c.example.com:9443" in output
    assert scene.snapshot("c") == before


@pytest.mark.whole
def test_a_site_yml_that_leaves_something_broken_ends_with_an_error(scene):
    """A is down, and B is as it should be. Its twin, first: A is up."""
    code, output = scene.site("--limit", "b.example.com")
    assert code == 0, output
    scene.run("a", "systemctl stop nginx")
    try:
        code, output = scene.site("--limit", "b.example.com")
    finally:
        scene.run("a", "systemctl start nginx")
    assert code == 2, output
    assert "b.example.com proxy: stable" in output
    assert "fail as they did before this run: route" in output


# -- leaving a host; the last tests of the scenario


def nginx(scene, host: str) -> set[str]:
    """What the user's own nginx answers there, without us."""
    ask = scene.lab.ask
    found = {ask("stranger.example.com", host=scene.full(host), port=80, tls=False)["body"][:40]}
    if host == "c":
        found.add(ask("stranger.example.com", host=scene.full(host), port=8090, tls=False)["body"])
        legacy = {"host": scene.full(host), "port": 9443, "sni": "legacy.example.com"}
        found.add(str(ask("stranger.example.com", **legacy)["status"]))
        pair = {"certificate": "/root/lab/legacy.pem", "key": "/root/lab/legacy.key"}
        found.add(ask("stranger.example.com", **legacy, **pair)["body"])
    return found


def test_one_part_leaves_and_the_other_serves_on(scene, watched_release):
    result, watch = watched_release("c", state="absent", parts={"server": {}})
    assert (result.code, result.told["state"], result.told["changed"]) == (0, "absent", True)
    for question in ("B", "B to the user's own A"):
        assert all(answer.startswith("200, ") for answer in watch.answers[question]), str(watch)
    assert not scene.blocks_listed("c", "server/sites")
    assert "refused" in scene.lab.ask("stranger.example.com", host="c.example.com", sni="x")["error"]
    again = scene.release("c", state="absent", parts={"server": {}})
    assert (again.code, again.told["changed"]) == (0, False)


def test_everything_leaves_and_nginx_runs_as_before(scene):
    for suffix in ("pem", "key"):
        scene.lab.copy(
            scene.pki / "rollback" / f"good-legacy.{suffix}",
            "stranger.example.com",
            f"/root/lab/legacy.{suffix}",
        )
    before = nginx(scene, "c")
    assert {"the user's own site\n", "400", "CN=c.example.com\n"} <= before
    result = scene.release("c", state="absent")
    assert (result.code, result.told["state"], result.told["changed"]) == (0, "absent", True)
    assert nginx(scene, "c") == before
    assert (
        scene.run("c", "find /etc/nginx /run /var/log /tmp -name '*mtls*' ! -name 'mtls-*.access.log'") == ""
    )
    assert scene.run("c", "grep -rl mtls /etc/nginx || true") == ""
    assert scene.run("c", "ss -Hltn '( sport = 443 or sport = 8080 or sport = 8081 )'") == ""
    scene.run("c", "nginx -t && systemctl restart nginx && systemctl is-active nginx")
    assert nginx(scene, "c") == before
    again = scene.release("c", state="absent")
    assert (again.code, again.told["state"], again.told["changed"]) == (0, "absent", False)
    assert BASE not in scene.run("c", "nginx -T 2>/dev/null")
