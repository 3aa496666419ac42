# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release tested inside the whole configuration of a host, as real nginx reads it: what a user may have
there, how nginx may be started, and the lines that undo a release although `nginx -t` passes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pki import CLIENT, SERVER, Authority

SECRET = "dontshowthis7f3a"


def done_well(host: Any, done: dict[str, Any]) -> None:
    assert done.get("state") == "stable", done
    assert host.served() == host.current() == done["release"]


def test_blocks_of_the_user_by_every_kind_of_include(host: Any) -> None:
    block = "server {{ listen {}; include snippets/own.conf; }}\n"
    host.write("/etc/nginx/snippets/own.conf", "add_header X-Own 1;\ninclude ../beside/of_nginx.conf;\n")
    host.write("/etc/beside/of_nginx.conf", "include /etc/nginx/deep/*.inc;\n")
    host.write("/etc/nginx/deep/one.inc", "include deep/[t]wo.conf;\n")
    host.write("/etc/nginx/deep/two.conf", f'proxy_set_header Authorization "{SECRET}";\n')
    host.write("/etc/nginx/conf.d/a.conf", block.format(7001))
    host.write("/srv/own/b.conf", block.format(7002))
    host.sh("ln -s /srv/own/b.conf /etc/nginx/conf.d/b.conf; chmod 0 /etc/nginx/deep/* /srv/own/b.conf")
    host.sh("nginx -t -q && systemctl reload nginx")
    for text in ("one", "two"):
        done_well(host, host.release(text))


@pytest.mark.parametrize("what", ["base", "conf.d", "everything"])
def test_directories_that_are_links(host: Any, what: str) -> None:
    moves = {
        "base": "mkdir mtls; ln -s /srv/nginx/mtls /etc/nginx/mtls",
        "conf.d": "mv /etc/nginx/conf.d .; ln -s /srv/nginx/conf.d /etc/nginx",
        "everything": "mv /etc/nginx etc; ln -s /srv/nginx/etc /etc/nginx",
    }
    host.sh(f"mkdir -p /srv/nginx; cd /srv/nginx; {moves[what]}")
    for text in ("one", "two"):
        done_well(host, host.release(text))


MAIN = """
pid %s;
error_log %s;
include modules-enabled/*.conf;
events { }
http { include conf.d/*.conf; }
"""


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize("arguments", ["-c /srv/nginx/own.conf", "-p /srv/nginx/ -c own.conf"])
def test_a_unit_with_a_configuration_of_its_own(host: Any, arguments: str, running: bool) -> None:
    host.sh("systemctl stop nginx; mkdir -p /srv/nginx/conf.d /srv/nginx/modules-enabled /srv/nginx/logs")
    relative = arguments.startswith("-p")
    paths = ("logs/own.pid", "logs/own.log") if relative else ("/run/own.pid", "/var/log/nginx/own.log")
    host.write("/srv/nginx/own.conf", MAIN % paths)
    pid = "/srv/nginx/logs/own.pid" if relative else "/run/own.pid"
    start = f"/usr/sbin/nginx -g 'daemon on; master_process on;' {arguments}"
    lines = f"PIDFile={pid}\nExecStartPre=\nExecStart=\nExecStart={start}\nExecReload=\nExecStop=\n"
    host.write("/etc/systemd/system/nginx.service.d/own.conf", f"[Service]\n{lines}")
    host.sh("systemctl daemon-reload" + ("; systemctl start nginx" if running else ""))
    for text in ("one", "two"):
        done = host.release(text, base="/srv/nginx/mtls")
        assert done.get("state") == "stable", done
        assert host.served() == done["release"]
    assert host.sh("ls /etc/nginx/conf.d /etc/nginx/mtls", check=False).count("mtls.conf") == 0


WEAK = """
openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = weak
[weak]
CipherString = DEFAULT@SECLEVEL=0
"""


def test_an_environment_that_nginx_needs_for_its_test_too(host: Any) -> None:
    """A key of 1024 bits loads only with the unit's OPENSSL_CONF."""
    host.write("/etc/nginx/weak.cnf", WEAK)
    host.sh(
        "cd /etc/nginx; openssl req -x509 -newkey rsa:1024 -nodes -keyout weak.key -out weak.pem -subj /CN=w"
        " -days 9 2>/dev/null"
    )
    block = "server { listen 7443 ssl; ssl_certificate weak.pem; ssl_certificate_key weak.key; }\n"
    host.write("/etc/nginx/conf.d/weak.conf", block)
    environment = "[Service]\nEnvironment=OPENSSL_CONF=/etc/nginx/weak.cnf\n"
    host.write("/etc/systemd/system/nginx.service.d/env.conf", environment)
    host.sh("systemctl daemon-reload; systemctl restart nginx; ! nginx -t -q 2>/dev/null")
    done_well(host, host.release("one"))


def test_a_huge_configuration(host: Any) -> None:
    block = (
        "server {{ listen 7005; server_name n{0}.example.com;\n"
        "  location / {{ proxy_pass http://127.0.0.1:9; }} location /a {{ return 200 'x{0}'; }}\n"
        " location /b {{ root /srv/{0}; index index.html; }} }}\n"
    )
    text = "".join(block.format(number) for number in range(1000))
    host.write("/etc/nginx/conf.d/huge.conf", "server_names_hash_max_size 4096;\n" + text)
    host.sh("nginx -t -q && systemctl reload nginx; sleep 1")
    done = host.release("one", timeout_s=30)
    done_well(host, done)
    assert done["seconds"]["read"] + done["seconds"]["check"] < 10, done["seconds"]


def holding(host: Any) -> list[str]:
    """Files with the secret where a call may have left one."""
    found: str = host.sh(f"grep -rlF {SECRET} /tmp /var/tmp /run /dev/shm 2>/dev/null", check=False)
    return found.splitlines()


def test_nothing_of_the_dump_is_told(stable: Any) -> None:
    """In a good call, a refused one, and one whose configuration only nginx can read."""
    secret = f'server {{ listen 7006; location / {{ proxy_set_header X "{SECRET}"; return 204; }} }}\n'
    stable.write("/etc/nginx/conf.d/secret.conf", secret)
    stable.sh("systemctl reload nginx; sleep 0.3")
    results = [
        stable.release("two"),
        stable.release("three\n    nonsense;"),
        stable.release("four", state="absent"),
    ]
    stable.write(
        "/etc/nginx/conf.d/z.conf", f"server {{ listen 7007; server_name {SECRET}.com; nonsense; }}\n"
    )
    results.append(stable.release("five"))
    assert [bool(one.get("failed")) for one in results] == [False, True, False, True]
    assert SECRET not in json.dumps(results)
    assert SECRET not in stable.sh("journalctl --no-pager; cat /var/log/nginx/error.log", check=False)
    assert SECRET not in stable.sh("ls -R /run /tmp", check=False)
    assert holding(stable) == []
    stable.write("/tmp/planted/file", f"x {SECRET} x\n")
    found = holding(stable)
    stable.sh("rm -r /tmp/planted")
    assert found == ["/tmp/planted/file"]


@pytest.mark.parametrize(
    "path", ["/etc/nginx/mtls/current/mtls.conf", "/etc/nginx/../nginx/m*/current/mtls.conf"]
)
def test_an_absolute_include_is_refused(stable: Any, path: str) -> None:
    before = stable.current()
    stable.write("/etc/nginx/conf.d/own.conf", f"# own\ninclude {path};\n")
    stable.sh("rm /etc/nginx/conf.d/mtls.conf; systemctl reload nginx")
    done = stable.release("two")
    assert done["code"] == "include.absolute", done
    assert "/etc/nginx/conf.d/own.conf:2" in done["msg"]
    assert stable.current() == before


# -- lines that undo a release

SITE = """
server {
    listen 8443 ssl;
    server_name site.example.com;
    include @MTLS_RELEASE@/server/credentials/server/tls.conf;
    VERIFY
    ssl_protocols TLSv1.2 TLSv1.3;
    location = /.mtls/probe {
        if ($ssl_client_verify != SUCCESS) { return 403; }
        return 200 "@MTLS_ID@ $ssl_client_verify $ssl_client_fingerprint $ssl_client_serial\\n";
    }
    EXTRA
}
"""


class Keys:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ours, self.others = Authority.make("CN=Ours"), Authority.make("CN=Others")
        self.ours.leaf(folder / "server", "CN=site", SERVER, names=("site.example.com",))
        self.ours.leaf(folder / "probe", "CN=mtls-probe.x", CLIENT)
        self.others.leaf(folder / "other", "CN=other", CLIENT)

    def text(self, name: str) -> str:
        return (self.folder / name).read_text()

    def part(self, extra: str = "", verify: str = "ssl_verify_client on;") -> dict[str, Any]:
        credentials: list[dict[str, Any]] = [
            {
                "name": name,
                "certificate_content": self.text(f"{name}.pem"),
                "private_key_content": self.text(f"{name}.key"),
            }
            for name in ("server", "probe")
        ]
        credentials[0]["trust"] = {"sources": [{"content": self.ours.pem().decode()}]}
        content = SITE.replace("EXTRA", extra).replace("VERIFY", verify)
        return {"server": {"credentials": credentials, "sites": [{"name": "site", "content": content}]}}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: Any) -> Keys:
    return Keys(tmp_path_factory.mktemp("keys"))


def lay(host: Any, keys: Keys) -> None:
    for name in ("server.pem", "server.key", "other.pem", "other.key"):
        host.write(f"/srv/nginx/{name}", keys.text(name))
    host.write("/srv/nginx/others.pem", keys.others.pem().decode())
    host.write("/srv/nginx/both.pem", (keys.ours.pem() + keys.others.pem()).decode())
    host.write("/etc/nginx/snippets/cache.conf", "ssl_session_cache shared:SSL:1m;\n")
    host.write("/etc/nginx/snippets/others.conf", f"ssl_conf_command {OTHERS};\n")
    host.write("/etc/nginx/snippets/old.conf", "ssl_protocols TLSv1 TLSv1.1;\n")


#: Both authorities: those whom the release lets in get in as well, so that nothing else notices.
OTHERS = "VerifyCAFile /srv/nginx/both.pem"
OWN = "ssl_certificate /srv/nginx/server.pem; ssl_certificate_key /srv/nginx/server.key;"

DEFAULT = f"server {{ listen 8443 ssl default_server; {OWN} ssl_protocols TLSv1.2 TLSv1.3; "

#: extra in the site, ssl_verify_client of the site, the user's conf.d, the code.
UNDOING = {
    "repeated": ("ssl_session_cache shared:x:1m;", None, "", "server.tls_repeated"),
    "by a snippet": ("include snippets/cache.conf;", None, "", "server.tls_repeated"),
    "a second certificate": (OWN, None, "", "server.tls_repeated"),
    "another authority": (f"ssl_conf_command {OTHERS};", None, "", "server.tls_command"),
    "another authority, by a snippet": ("include snippets/others.conf;", None, "", "server.tls_command"),
    "another authority, inherited": ("", None, f"ssl_conf_command {OTHERS};", "server.tls_command"),
    "sessions again": ("", None, "ssl_conf_command Options SessionTicket;", "server.tls_command"),
    "older protocols": ("include snippets/old.conf;", None, "", "server.tls_repeated"),
    "verification inherited": ("", "", "ssl_verify_client optional;", "server.verify_changed"),
    "no authority": ("", "", "ssl_verify_client optional_no_ca;", "server.verify_changed"),
    "name taken": (
        "",
        None,
        f"server {{ listen 8443 ssl; server_name site.example.com; {OWN} ssl_protocols TLSv1.2 TLSv1.3; }}",
        "server.name_taken",
    ),
    "default lets in": (
        "",
        None,
        DEFAULT + "ssl_verify_client on; ssl_client_certificate /srv/nginx/others.pem; }",
        "server.default_governs",
    ),
    "default keeps sessions": (
        "",
        None,
        DEFAULT + "ssl_session_cache shared:y:1m; }",
        "server.default_governs",
    ),
}


@pytest.mark.parametrize("case", UNDOING)
def test_a_line_that_undoes_the_release_is_refused(host: Any, keys: Keys, case: str) -> None:
    extra, verify, user, code = UNDOING[case]
    lay(host, keys)
    host.write("/etc/nginx/conf.d/a.conf", user + "\n")
    host.sh("nginx -t -q")
    parts = keys.part(extra, *([] if verify is None else [verify]))
    done = host.call(parts=parts)
    assert done.get("code") == code, done
    assert "/srv/nginx/server.key" not in json.dumps(done)
    assert host.current() in ("empty", ""), "nothing was switched"


#: The user's conf.d, which touches nothing of ours, or is closed by tls.conf and default.conf.
HARMLESS = {
    "http level": "ssl_trusted_certificate /srv/nginx/others.pem; ssl_session_cache shared:z:1m; "
    "ssl_verify_depth 9; ssl_session_tickets on;",
    "commands that change no trust": "ssl_conf_command Options PrioritizeChaCha; "
    "ssl_conf_command Ciphersuites TLS_AES_256_GCM_SHA384; ssl_conf_command MinProtocol TLSv1.2;",
    "own blocks": f"server {{ listen 7443 ssl; {OWN} {OWN} include snippets/cache.conf; }}",
    "a plain default": DEFAULT + "ssl_session_cache off; }",
}

ASK = """
import ssl, socket
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
context.load_cert_chain("/srv/nginx/other.pem", "/srv/nginx/other.key")
with socket.create_connection(("127.0.0.1", 8443)) as raw:
    with context.wrap_socket(raw, server_hostname="site.example.com") as tls:
        tls.sendall(b"GET /.mtls/probe HTTP/1.0\\r\\nHost: site.example.com\\r\\n\\r\\n")
        print(tls.recv(99).split()[1].decode())
"""


@pytest.mark.parametrize("case", HARMLESS)
def test_what_does_not_touch_the_release_is_left_alone(host: Any, keys: Keys, case: str) -> None:
    lay(host, keys)
    host.write("/etc/nginx/conf.d/a.conf", HARMLESS[case] + "\n")
    host.sh("nginx -t -q && systemctl reload nginx")
    done = host.call(parts=keys.part())
    assert done.get("state") == "stable", done
    assert host.sh("python3 -", stdin=ASK) == "400", "a client of another authority"


def test_a_name_of_ours_that_the_user_has_behind_us_is_a_warning(host: Any, keys: Keys) -> None:
    lay(host, keys)
    block = f"server {{ listen 8443 ssl; server_name site.example.com; {OWN} }}\n"
    host.write("/etc/nginx/sites-enabled/own", block)
    host.sh("nginx -t -q")
    done = host.call(parts=keys.part())
    assert done.get("state") == "stable", done
    assert any("/etc/nginx/sites-enabled/own:1" in one for one in done["warnings"]), done["warnings"]


# -- a user's own block with a credential of ours

USERS = """
server {
    listen 7444 ssl;
    server_name own.example.com;
    include mtls/current/server/credentials/%s/tls.conf;
    ssl_verify_client on;
    location / { return 204; }
}
"""


def test_a_users_own_block_with_a_credential_of_the_release(host: Any, keys: Keys) -> None:
    assert host.call(parts=keys.part())["state"] == "stable"
    host.write("/etc/nginx/conf.d/own.conf", USERS % "server")
    host.sh("nginx -t -q && systemctl reload nginx")
    before = host.current()
    assert host.call(parts=keys.part("# two"), _ansible_check_mode=True)["changed"]
    done = host.call(parts=keys.part("# two"))
    assert done.get("state") == "stable", done
    assert before != host.current() == done["release"]
    assert not host.call(parts=keys.part("# two"))["changed"]
    # A kill between the rename and the reload.
    host.sh("sed -i s/stable/switched/ /etc/nginx/mtls/state.json")
    assert host.call().get("state") == "stable"


def test_a_credential_that_a_users_own_block_needs_does_not_go(host: Any, keys: Keys) -> None:
    assert host.call(parts=keys.part())["state"] == "stable"
    host.write("/etc/nginx/conf.d/own.conf", USERS % "server")
    host.sh("nginx -t -q && systemctl reload nginx")
    before = host.current()
    for options in ({"state": "absent"}, {"parts": {"server": {"credentials": [], "sites": []}}}):
        done = host.call(**options)
        assert done["failed"] and "credentials/server/tls.conf" in done["msg"], done
        assert host.current() == before
    host.sh("nginx -t -q")


def test_a_base_that_was_removed_by_hand(stable: Any) -> None:
    """nginx runs on from memory, and could not start any more."""
    entries = (
        "ls /etc/nginx/conf.d/mtls.conf /etc/nginx/modules-enabled/mtls.conf /etc/nginx/mtls 2>/dev/null"
    )
    stable.sh("rm -rf /etc/nginx/mtls; ! nginx -t -q 2>/dev/null")
    before = stable.sh(entries, check=False)
    planned = stable.call(state="absent", _ansible_check_mode=True)
    assert planned["changed"] and stable.sh(entries, check=False) == before
    done = stable.call(state="absent")
    assert (done["changed"], done["state"]) == (True, "absent"), done
    assert stable.sh(entries, check=False) == ""
    assert stable.served() == ""
    stable.sh("nginx -t -q && systemctl restart nginx")
    again = stable.call(state="absent")
    assert (again["changed"], again["state"]) == (False, "absent"), again
