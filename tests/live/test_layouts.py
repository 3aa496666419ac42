# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""nginx as nginx.org lays it out, and nginx whose master is an ordinary user: the whole way of a release on
each, whom its files belong to, and who can read a key."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import layouts
import pytest
from pki import CLIENT, SERVER, Authority

HERE = Path(__file__).resolve().parent


def _load(name: str, path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


live = _load("mtls_live_layouts", HERE / "conftest.py")

BASE = live.BASE
LOG = "/var/log/nginx/mtls-orders.access.log"
KEYS = f"{BASE}/current/*/credentials/*/privkey.pem"
SITE = """
server {
    listen PORT ssl;
    server_name orders.example.com;
    include @MTLS_RELEASE@/server/credentials/server/tls.conf;
    ssl_verify_client on;
    ssl_protocols TLSv1.2 TLSv1.3;
    access_log LOG;
    if ($host != orders.example.com) { return 421; }
    location = /.mtls/probe {
        if ($ssl_client_verify != SUCCESS) { return 403; }
        return 200 "@MTLS_ID@ $ssl_client_verify $ssl_client_fingerprint $ssl_client_serial\\n";
    }
    location / { proxy_pass http://127.0.0.1:9; }
    # TEXT
}
"""
LISTENER = """
server {
    listen 127.0.0.1:8081;
    location = /.mtls/proxy { return 200 "@MTLS_ID@\\n"; }
    location = /.mtls/probe/orders { TO_A proxy_pass https://orders/.mtls/probe; }
    location / { TO_A proxy_pass https://orders; }
}
""".replace(
    "TO_A",
    "include @MTLS_RELEASE@/proxy/credentials/client/tls.conf; proxy_ssl_protocols TLSv1.2 TLSv1.3;"
    " proxy_ssl_name orders.example.com; proxy_set_header Host orders.example.com;",
)


class Place:
    """A host with one layout, which is A and B at once. *user*: whom its workers run as."""

    def __init__(self, machine: Any, script: str, user: str, folder: Path) -> None:
        self.machine, self.user, self._script, self._folder = machine, user, script, folder
        self._clients, self._servers = Authority.make("CN=Clients"), Authority.make("CN=Servers")
        self._servers.leaf(folder / "server", "CN=server", SERVER, names=("orders.example.com",))
        for name in ("probe", "client"):
            self._clients.leaf(folder / name, f"CN=mtls-probe.{name}", CLIENT)
        machine.sh(script)

    def _pair(self, name: str, trust: Any = None) -> dict[str, Any]:
        texts = [(self._folder / f"{name}.{kind}").read_text() for kind in ("pem", "key")]
        found = {"name": name, "certificate_content": texts[0], "private_key_content": texts[1]}
        more = {"trust": {"sources": [{"content": trust.pem().decode()}]}} if trust else {}
        return {**found, **more}

    def server(self, text: str, port: int = 443, log: str = LOG) -> dict[str, Any]:
        site = SITE.replace("PORT", str(port)).replace("TEXT", text).replace("LOG", log)
        return {
            "credentials": [self._pair("server", self._clients), self._pair("probe")],
            "sites": [{"name": "orders", "content": site}],
        }

    def release(self, text: str = "one", port: int = 443, log: str = LOG, **options: Any) -> dict[str, Any]:
        """A, and then B, as site.yml does it; *text* makes a release of A another one."""
        proxy = {
            "credentials": [self._pair("client", self._servers)],
            "routes": [{"name": "orders", "content": f"upstream orders {{ server 127.0.0.1:{port}; }}"}],
            "listeners": [{"name": "1", "content": LISTENER}],
        }
        done = self.call(parts={"server": self.server(text, port, log)}, **options)
        return self.call(parts={"proxy": proxy}, **options) if done.get("state") == "stable" else done

    def call(self, **options: Any) -> dict[str, Any]:
        found: dict[str, Any] = self.machine.call(**options)
        return found

    def sh(self, script: str, check: bool = True) -> str:
        found: str = self.machine.sh(script, check=check)
        return found

    def reads(self, user: str, path: str) -> bool:
        """Whether that user, with the groups it has, can read every one of these files."""
        script = f'for one in {path}; do runuser -u {user} -- cat "$one" >/dev/null || exit 1; done; echo yes'
        return self.sh(script, check=False) == "yes"

    def kinds(self) -> set[str]:
        """Mode, owner and group of each thing of the live release and of `empty`, and what it is."""
        script = (
            f"cd {BASE}/releases; find . -maxdepth 0 -printf 'directory %m %u:%g\\n';"
            "set -- ../current/ empty; find $@ -type d -printf 'directory %m %u:%g\\n'; "
            "find $@ -name privkey.pem -printf 'key %m %u:%g\\n'; "
            "find $@ -type f ! -name privkey.pem -printf 'file %m %u:%g\\n'"
        )
        return set(self.sh(script).splitlines())

    def workers(self) -> set[str]:
        return set(self.sh("ps -C nginx -o user=,args= | grep 'worker process$' | cut -d' ' -f1").split())


SCRIPTS = {"nginx.org": (layouts.NGINX_ORG, "nginx"), "unprivileged": (layouts.UNPRIVILEGED, "web")}
OWNED = {
    "nginx.org": {"directory 700 root:root", "key 600 root:root", "file 644 root:root"},
    "unprivileged": {"directory 750 root:web", "key 400 web:root", "file 644 root:root"},
}


@pytest.fixture(name="machines", scope="module", params=live.IMAGES)
def _machines(request: Any) -> Iterator[Any]:
    """A host for each layout: the user of Debian's is gone from both."""
    with live.running(request.param, "layouts-org") as one, live.running(request.param, "layouts-un") as two:
        yield {"nginx.org": one, "unprivileged": two}


def _place(machine: Any, layout: str, folder: Path) -> Place:
    """With no release, and nginx as that layout has it, whatever a test before has done."""
    return Place(machine, *SCRIPTS[layout], folder)


@pytest.fixture(name="place", params=list(SCRIPTS))
def _each(request: Any, machines: Any, tmp_path: Path) -> Place:
    place = _place(machines[request.param], request.param, tmp_path)
    place.layout = request.param  # type: ignore[attr-defined]  # only these tests ask for it
    return place


@pytest.fixture(name="web")
def _web(machines: Any, tmp_path: Path) -> Place:
    return _place(machines["unprivileged"], "unprivileged", tmp_path)


def stable(done: dict[str, Any]) -> dict[str, Any]:
    assert done.get("state") == "stable", done.get("msg", done)
    assert [row for row in done["proof"] if row["verdict"] != "ok"] == []
    return done


def test_the_whole_way_of_a_release(place: Any) -> None:
    done = stable(place.release())
    assert done["positive"] == "proven"
    assert place.machine.served() == done["release"]
    assert place.workers() == {place.user}
    # No modules-enabled: nothing of ours ends an old worker.
    warned = [one for one in done["warnings"] if "`worker_shutdown_timeout 60s;`" in one]
    assert len(warned) == 1, done["warnings"]
    place.sh("sed -i '1i worker_shutdown_timeout 60s;' /etc/nginx/nginx.conf; systemctl restart nginx")
    assert "worker_shutdown_timeout" not in str(stable(place.call())["warnings"])
    assert place.kinds() == OWNED[place.layout]
    assert not stable(place.call())["changed"]
    two = stable(place.release("two"))["release"]
    assert place.machine.served() == two != done["release"]
    place.sh("systemctl restart nginx")
    assert place.machine.served() == two
    back = stable(place.call(state="rolled_back", to=done["release"]))
    assert place.machine.served() == back["release"] == done["release"]
    broken = place.release("three\n    return 444;")
    assert broken["state"] == "rolled_back", broken["msg"]
    assert place.machine.served() == back["release"]
    gone = place.call(state="absent")
    assert gone["state"] == "absent", gone
    assert place.sh(f"ls -d {BASE} /etc/nginx/conf.d/mtls.conf", check=False) == ""
    place.sh("systemctl restart nginx")


def test_what_it_uses_for_tls_is_told(place: Any) -> None:
    stable(place.release())
    found = place.machine.module("nginx_tls_info", log_minutes=1)
    assert found["findings"] == [], found["findings"]
    (instance,) = found["instances"]
    assert (instance["ok"], instance["user"]) == (True, place.user)
    site = next(one for one in instance["servers"] if "orders.example.com" in one["names"])
    assert (site["ours"], site["verify"], site["session_cache"]) == (True, "on", "off")
    (row,) = site["served"]
    assert (row["error"], row["subject"]) == ("", "CN=server")
    assert [(one["ours"], one["upstream"], one["verify"], one["sni"]) for one in instance["locations"]] == [
        (True, "orders", True, True),
        (True, "orders", True, True),
    ]
    assert all(file["state"] == "ok" and not file["newer_than_loaded"] for file in found["files"])


def test_who_can_read_a_key(place: Any) -> None:
    stable(place.release())
    assert place.reads("root", KEYS)
    assert place.reads(place.user, KEYS) == (place.layout == "unprivileged")
    # A member of the group of nginx, to read its logs say.
    place.sh(f"usermod -aG {place.user} operator")
    assert not place.reads("operator", KEYS)
    assert not place.reads("nobody", KEYS)
    # The way by which it would be seen that one can.
    place.sh(f"chmod o+rx $(find {BASE}/ -type d) && chmod o+r {KEYS}")
    assert place.reads("nobody", KEYS)


def test_what_has_another_owner_is_given_back(place: Any) -> None:
    live = stable(place.release())["release"]
    key = f"{BASE}/current/*/credentials/{{}}/privkey.pem"
    wrong = [
        f"chown nobody {key.format('server')}",
        f"chmod 640 {key.format('probe')}",
        f"chown {'nginx' if place.layout == 'nginx.org' else 'root'} {key.format('client')}",
        f"chgrp operator {BASE}/current/server; chmod g+rx {BASE}/current/server",
    ]
    place.sh("; ".join(wrong))
    found = place.kinds()
    assert len(found - OWNED[place.layout]) == 4, found
    assert place.call(_ansible_check_mode=True)["changed"]
    assert place.kinds() == found
    assert stable(place.call())["changed"]
    assert (place.kinds(), place.machine.served()) == (OWNED[place.layout], live)
    assert not stable(place.call())["changed"]


# -- nginx.org's


def test_its_unit_is_read_with_its_variables(machines: Any, tmp_path: Path) -> None:
    """A stopped nginx is tested, and started, with what `-c ${CONFFILE}` says."""
    org = _place(machines["nginx.org"], "nginx.org", tmp_path)
    org.sh("systemctl stop nginx")
    assert stable(org.release())["release"] == org.machine.served()


# -- an ordinary user's


def test_a_link_moved_by_hand_to_what_nginx_cannot_read(web: Any) -> None:
    one = stable(web.release())
    stable(web.release("two"))
    web.sh(f"ln -sfn releases/{one['release']} {BASE}/current")
    web.sh(f"chmod -R go-rwx {BASE}/releases; chown -R root:root {BASE}/releases")
    done = stable(web.call())
    assert web.machine.served() == done["release"] == one["release"]
    web.sh("systemctl restart nginx")
    assert web.machine.served() == one["release"]


def test_prepared_in_check_mode_and_for_later(web: Any) -> None:
    live = stable(web.release())["release"]
    plan = web.release("two", _ansible_check_mode=True)
    assert plan["changed"], plan
    waiting = web.call(
        parts={"server": {**web.server("two"), "credentials": [{"name": "server"}, {"name": "probe"}]}},
        until="checked",
    )
    assert waiting["state"] == "checked", waiting
    assert (web.machine.served(), web.kinds()) == (live, OWNED["unprivileged"])
    assert stable(web.call(to="prepared"))["release"] == waiting["prepared"] == web.machine.served()


def test_nothing_of_root_is_left_where_nginx_writes(web: Any) -> None:
    stable(web.release())
    found = web.sh("find /var/log/nginx /run/nginx /var/cache/nginx ! -user web")
    assert (found, web.sh(f"stat -c %U {LOG}")) == ("", "web")


def _turn(place: Any, files: str) -> None:
    place.sh(f"systemctl stop nginx; {files} systemctl daemon-reload; systemctl start nginx; sleep 1")


def test_from_root_to_an_ordinary_user_and_back(web: Any) -> None:
    web.sh(layouts.NGINX_ORG)
    live = stable(web.release())["release"]
    assert web.kinds() == OWNED["nginx.org"]
    _turn(web, layouts.UNPRIVILEGED_FILES)
    # Stopped, and what lies there can be read by root only: nginx does not come up.
    assert web.sh("systemctl is-active nginx", check=False) == "failed"
    # Its own directory of its pid is there only while it runs.
    refused = web.release()
    assert "systemctl start nginx" in refused["msg"], refused
    assert web.kinds() == OWNED["unprivileged"]
    web.sh("systemctl reset-failed nginx; systemctl start nginx")
    assert stable(web.release())["release"] == web.machine.served() == live
    _turn(web, layouts.NGINX_ORG_FILES)
    assert stable(web.call())["changed"]
    assert (web.kinds(), web.machine.served()) == (OWNED["nginx.org"], live)


def test_the_unit_says_it_while_root_still_runs(web: Any) -> None:
    """The order that loses no request: the unit, a release, the restart."""
    web.sh(layouts.NGINX_ORG)
    live = stable(web.release())["release"]
    web.sh("mkdir -p /etc/systemd/system/nginx.service.d")
    lines = "[Service]\nUser=web\nAmbientCapabilities=CAP_NET_BIND_SERVICE\nRuntimeDirectory=nginx\n"
    web.sh(f"printf '{lines}' >/etc/systemd/system/nginx.service.d/user.conf; systemctl daemon-reload")
    try:
        assert stable(web.call())["changed"]
        assert (web.kinds(), web.workers()) == (OWNED["unprivileged"], {"nginx"})
    finally:
        web.sh("rm -r /etc/systemd/system/nginx.service.d; systemctl daemon-reload")
    assert web.machine.served() == live


def test_a_port_without_the_capability(web: Any) -> None:
    web.sh("sed -i /Ambient/d /etc/systemd/system/nginx.service; systemctl daemon-reload")
    web.sh("systemctl restart nginx")
    refused = web.release()
    assert "bind() to 0.0.0.0:443 failed (13" in refused["msg"], refused
    assert "AmbientCapabilities=CAP_NET_BIND_SERVICE" in refused["msg"]
    stable(web.release(port=8443))


def test_a_log_that_it_cannot_write(web: Any) -> None:
    refused = web.release(log="/var/log/mtls-orders.log")
    assert 'open() "/var/log/mtls-orders.log" failed (13' in refused["msg"], refused
    assert "user web" in refused["msg"]
    web.sh("install -o web /dev/null /var/log/mtls-orders.log")
    stable(web.release(log="/var/log/mtls-orders.log"))


@pytest.mark.parametrize("wrong", ["chown web /etc/nginx", "chgrp web /etc/nginx; chmod g+w /etc/nginx"])
def test_a_configuration_that_it_may_replace(web: Any, wrong: str) -> None:
    web.sh(wrong)
    refused = web.release()
    web.sh("chown root:root /etc/nginx; chmod 755 /etc/nginx")
    assert "/etc/nginx: The user whom nginx runs as may write to it" in refused["msg"], refused
    assert "chown root:root /etc/nginx && chmod go-w /etc/nginx" in refused["msg"]
    stable(web.release())


def test_a_user_that_changes(web: Any) -> None:
    web.sh("sed -i s/^User=.*/DynamicUser=yes/ /etc/systemd/system/nginx.service")
    web.sh("systemctl daemon-reload")
    refused = web.release()
    assert "DynamicUser=" in refused["msg"], refused
