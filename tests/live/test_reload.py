# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reload that does not happen, in each way in which real nginx loses one: detected by what serves, told in
nginx's own words, and the host serves one release, whole."""

from __future__ import annotations

from typing import Any

import pytest

#: Two waits (the new release, the old one) of the 6 s that conftest gives, and what the rest takes.
BOUND_S = 24


def old_whole(host: Any, done: dict[str, Any], before: str, state: str = "rolled_back") -> None:
    assert done.get("failed"), done
    assert done["state"] == state, done
    assert host.current() == before, done
    assert host.served() == before, done
    assert done["seconds_in_all"] < BOUND_S


def take(host: Any, port: int) -> None:
    """Another process listens there."""
    script = f'import socket, time; s = socket.create_server(("127.0.0.1", {port})); time.sleep(99)'
    host.sh(f"setsid python3 -c '{script}' taker >/dev/null 2>&1 & sleep 0.5")


def test_a_port_taken_by_another_process(stable: Any) -> None:
    take(stable, 8082)
    before = stable.current()
    done = stable.release("two", port=8082)
    old_whole(stable, done, before)
    assert "bind() to 127.0.0.1:8082 failed" in done["msg"]
    assert "still could not bind()" in done["msg"]
    # The twin: the port is free again.
    stable.sh("pkill -f '^python3 .* taker'; sleep 0.3")
    done = stable.release("two", port=8082)
    assert done["state"] == "stable", done
    assert stable.served(8082) == stable.current() == done["release"]


#: Takes root's right to read everything from the unit, not from who runs `nginx -t`.
NO_OVERRIDE = "[Service]\nCapabilityBoundingSet=~CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH\n"


def closed_log(host: Any) -> None:
    host.sh("chown root:root /var/log/nginx; install -d -o www-data -m 0700 /var/log/nginx/app")
    host.write("/etc/systemd/system/nginx.service.d/caps.conf", NO_OVERRIDE)
    host.sh("systemctl daemon-reload; systemctl restart nginx")


def test_a_log_that_the_master_cannot_open(stable: Any) -> None:
    closed_log(stable)
    before = stable.current()
    done = stable.release("two\n    access_log /var/log/nginx/app/x.log;")
    old_whole(stable, done, before)
    assert 'open() "/var/log/nginx/app/x.log" failed (13: Permission denied)' in done["msg"]


@pytest.mark.parametrize("path", ["/nonexistent/x.log", "/etc/nginx"])
def test_a_log_path_that_does_not_exist(stable: Any, path: str) -> None:
    before = stable.current()
    done = stable.release(f"two\n    access_log {path};")
    assert done["failed"]
    assert f'open() "{path}" failed' in done["msg"]
    assert stable.served() == stable.current() == before
    assert "Nothing was switched" in done["msg"]


def test_no_more_open_files(stable: Any) -> None:
    stable.sh("prlimit --pid $(cat /run/nginx.pid) --nofile=12:")
    before = stable.current()
    done = stable.release("two")
    assert done["failed"]
    assert stable.served() == stable.current() == before, done
    assert done["code"] == "nginx.open_files", "half of a reload would be an outage: it is not begun"
    assert done["state"] != "rolled_back"
    stable.sh("prlimit --pid $(cat /run/nginx.pid) --nofile=1024:")
    assert stable.release("two")["state"] == "stable"


def test_a_shared_zone_of_another_key(stable: Any) -> None:
    """`nginx -t` knows nothing of the zones in use. Another size is none of it: see below."""
    stable.write("/etc/nginx/conf.d/z.conf", "limit_req_zone $uri zone=z:1m rate=1r/s;\n")
    stable.sh("systemctl reload nginx; sleep 0.5")
    stable.write("/etc/nginx/conf.d/z.conf", "limit_req_zone $request_uri zone=z:1m rate=1r/s;\n")
    before = stable.current()
    done = stable.release("two")
    assert done["failed"]
    assert stable.served() == stable.current() == before
    assert 'limit_req "z" uses the "$request_uri" key while previously it used the "$uri" key' in done["msg"]


def test_a_shared_zone_of_another_size(stable: Any) -> None:
    stable.write("/etc/nginx/conf.d/z.conf", "limit_req_zone $uri zone=z:1m rate=1r/s;\n")
    stable.sh("systemctl reload nginx; sleep 0.5")
    stable.write("/etc/nginx/conf.d/z.conf", "limit_req_zone $uri zone=z:2m rate=1r/s;\n")
    done = stable.release("two")
    assert done["state"] == "stable", done
    assert stable.served() == done["release"]


def by_hand(host: Any, arguments: str = "") -> None:
    host.sh(f"systemctl stop nginx; setsid nginx {arguments} </dev/null >/dev/null 2>&1; sleep 0.3")


def test_a_dead_master_with_orphaned_workers(stable: Any) -> None:
    by_hand(stable)
    before = stable.current()
    stable.sh("kill -9 $(cat /run/nginx.pid); sleep 0.2; pgrep -f '^nginx: worker'")
    done = stable.release("two")
    assert done["failed"]
    assert done["code"] == "nginx.orphan_workers"
    assert stable.served() == stable.current() == before
    # The remedy that the message names.
    stable.sh("pkill -f '^nginx: worker'; sleep 0.3")
    done = stable.release("two")
    assert done["state"] == "stable", done
    assert stable.served() == done["release"]


def test_a_dead_master_below_systemd(stable: Any) -> None:
    """systemd ends the workers of its unit: nginx is down, and the next run starts it."""
    stable.sh("kill -9 $(cat /run/nginx.pid); sleep 1")
    done = stable.release("two")
    assert done["state"] == "stable", done
    assert stable.served() == done["release"]


def test_nginx_started_by_hand(stable: Any) -> None:
    by_hand(stable)
    done = stable.release("two")
    assert done["state"] == "stable", done
    assert stable.served() == stable.current() == done["release"]
    assert stable.sh("systemctl is-active nginx", check=False) != "active"


def test_a_binary_upgrade_in_flight(stable: Any) -> None:
    before = stable.current()
    stable.sh("kill -USR2 $(cat /run/nginx.pid); sleep 0.7")
    done = stable.release("two")
    assert done["failed"]
    assert done["code"] == "nginx.upgrade_in_flight", done
    assert stable.served() == stable.current() == before
    # The upgrade is finished: the new master is ours.
    stable.sh("kill -QUIT $(cat /run/nginx.pid.oldbin); sleep 1")
    done = stable.release("two")
    assert done["state"] == "stable", done
    assert stable.served() == done["release"]


def test_somebody_elses_reloads_at_the_same_moment(stable: Any) -> None:
    # Many names make a load slow enough to overlap.
    names = "".join(f"server {{ listen 8083; server_name n{n}.example.com; }}\n" for n in range(300))
    stable.write("/etc/nginx/conf.d/many.conf", names)
    script = "for i in $(seq 60); do kill -HUP $(cat /run/nginx.pid); sleep 0.37; done"
    stable.sh(f"(setsid bash -c '{script}' >/dev/null 2>&1 &)")
    for text in ("two", "three"):
        done = stable.release(text, timeout_s=6)
        seen = [stable.served() for dummy in range(3)]
        if done.get("failed"):
            # A set of workers that never rests is told as such, and what is live is whole.
            assert "did not reload" in done["msg"], done
            assert set(seen) == {stable.current()}
        else:
            assert set(seen) == {stable.current()} == {done["release"]}


def test_one_foreign_reload_just_before(stable: Any) -> None:
    hup = "kill -HUP $(cat /run/nginx.pid)"
    stable.sh(f"(setsid bash -c 'sleep 0.4; {hup}; sleep 0.2; {hup}' >/dev/null 2>&1 &)")
    done = stable.release("two")
    assert done["state"] == "stable", done
    assert {stable.served() for dummy in range(3)} == {stable.current()} == {done["release"]}


def test_a_stopped_nginx_is_started_where_its_service_is_enabled(stable: Any) -> None:
    stable.sh("systemctl stop nginx")
    done = stable.release("two")
    assert done["state"] == "stable", done
    assert stable.served() == done["release"]
    assert stable.sh("systemctl is-active nginx") == "active"


@pytest.mark.parametrize("how", ["disable", "mask"])
def test_a_stopped_nginx_that_nobody_wants_is_left_stopped(stable: Any, how: str) -> None:
    before = stable.current()
    stable.sh(f"systemctl stop nginx; systemctl {how} nginx")
    done = stable.release("two")
    assert done["failed"]
    assert "is not enabled" in done["msg"]
    assert "systemctl" in done["msg"]
    assert stable.current() == before
    assert stable.sh("pgrep -c nginx", check=False) == "0"


def test_a_stopped_nginx_that_cannot_start(stable: Any) -> None:
    before = stable.current()
    stable.sh("systemctl stop nginx")
    take(stable, 8081)
    done = stable.release("two")
    assert done["failed"]
    assert "bind() to 127.0.0.1:8081 failed" in done["msg"], done
    assert stable.current() == before


def without_systemd(host: Any) -> None:
    host.sh(
        "mkdir -p /root/away; for one in /usr/bin/systemctl /usr/bin/service /usr/sbin/service; do "
        "[ ! -e $one ] || mv $one /root/away/; done"
    )


def test_without_systemd_and_without_service(stable: Any) -> None:
    without_systemd(stable)
    done = stable.release("two")
    assert done["state"] == "stable", done
    assert stable.served() == done["release"]


def test_without_systemd_a_stopped_nginx_is_an_error(stable: Any) -> None:
    before = stable.current()
    stable.sh("systemctl stop nginx")
    without_systemd(stable)
    done = stable.release("two")
    assert done["failed"]
    assert "does not run" in done["msg"]
    assert stable.current() == before


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "999999",
        "$(sleep 99 >/dev/null 2>&1 & echo $!)",
        "$(pgrep -f '^nginx: worker' | head -n 1)",
    ],
)
def test_a_pid_file_that_is_stale_empty_or_of_another_process(stable: Any, text: str) -> None:
    stable.sh(f'echo "{text}" >/run/nginx.pid')
    done = stable.release("two")
    assert done["state"] == "stable", done
    assert stable.served() == done["release"]
    assert stable.sh("pgrep -fc '^nginx: master'") == "1"


def test_a_pid_file_that_is_gone(stable: Any) -> None:
    stable.sh("rm /run/nginx.pid")
    done = stable.release("two")
    assert done["state"] == "stable", done
    assert stable.served() == done["release"]


OTHER = "pid /run/other.pid; error_log /var/log/nginx/other.log; events {} http { server { listen 8099; } }\n"


@pytest.mark.parametrize("running", [True, False])
def test_another_nginx_with_a_configuration_of_its_own(stable: Any, running: bool) -> None:
    stable.write("/srv/nginx/other.conf", OTHER)
    stable.sh("setsid nginx -c /srv/nginx/other.conf </dev/null >/dev/null 2>&1; sleep 0.2")
    if not running:
        stable.sh("systemctl stop nginx")
    others = stable.sh("pgrep -P $(cat /run/other.pid)")
    done = stable.release("two")
    assert done.get("state") == "stable", done
    assert stable.served() == done["release"]
    assert stable.sh("pgrep -P $(cat /run/other.pid)") == others, "it was not reloaded"


def test_many_workers(stable: Any) -> None:
    stable.sh("sed -i 's/^worker_processes .*/worker_processes 48;/' /etc/nginx/nginx.conf")
    stable.sh("systemctl reload nginx; sleep 1")
    done = stable.release("two", timeout_s=30)
    assert done["state"] == "stable", done
    assert {stable.served() for dummy in range(5)} == {done["release"]}


def test_a_master_that_is_stopped(stable: Any) -> None:
    before = stable.current()
    stable.sh("kill -STOP $(cat /run/nginx.pid)")
    done = stable.release("two")
    stable.sh("kill -CONT $(cat /run/nginx.pid); sleep 1")
    assert done["failed"]
    assert "stopped" in done["msg"], done
    assert done["seconds_in_all"] < BOUND_S
    assert stable.served() == stable.current() == before
    assert stable.release("two")["state"] == "stable"


LOGS = [
    "error_log /var/log/nginx/elsewhere.log;",
    "error_log relative.log;",
    "error_log /var/log/nginx/one.log warn; error_log /var/log/nginx/two.log;",
    "error_log stderr;",
    "error_log syslog:server=unix:/dev/log;",
    "error_log /dev/null;",
    "",
]


@pytest.mark.parametrize("line", LOGS)
def test_nginx_own_lines_wherever_they_are(stable: Any, line: str) -> None:
    stable.sh("mkdir -p /usr/share/nginx; cd /etc/nginx; sed -i '/^error_log/d' nginx.conf")
    stable.sh("cat - /etc/nginx/nginx.conf >/tmp/n && cp /tmp/n /etc/nginx/nginx.conf", stdin=line + "\n")
    closed_log(stable)
    before = stable.current()
    done = stable.release("two\n    access_log /var/log/nginx/app/x.log;")
    old_whole(stable, done, before)
    if "null" in line:
        assert "/dev/null" in done["msg"], "where to look"
    else:
        assert 'open() "/var/log/nginx/app/x.log" failed (13: Permission denied)' in done["msg"]
        assert done["seconds_in_all"] < 10, "a refusal is seen before the time is over"
