# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many sites, and long names, need more room than nginx has by itself (_core/hashes.py)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import rendered
from pki import CLIENT, SERVER, Authority

OWN = "/etc/nginx/conf.d/00-own.conf"
HASHES = "grep -c '_hash_' /etc/nginx/mtls/current/mtls.conf || true"


def sites(count: int, name: str = "shop-{}") -> list[dict[str, Any]]:
    names = [name.format(number) for number in range(count)]
    return [{"name": one, "server_names": [f"{one}.customers-of-ours.test"]} for one in names]


SITES = {
    "one": sites(1),
    "some": sites(5),
    "many": sites(100),
    # As long as a label of DNS.
    "long": sites(1, "x" * 62 + "{}"),
}


@pytest.fixture(name="parts", scope="module")
def _parts(machine: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder: Path = tmp_path_factory.mktemp("names")
    authority, name = Authority.make("CN=One for both"), "*.customers-of-ours.test"
    (folder / "ca.pem").write_bytes(authority.pem())
    authority.leaf(folder / "server", "CN=server", SERVER, names=(name,))
    authority.leaf(folder / "probe", "CN=mtls-probe.a1", CLIENT)
    server, probe = (
        {"certificate": str(folder / f"{who}.pem"), "private_key": str(folder / f"{who}.key")}
        for who in ("server", "probe")
    )
    credential = {
        "name": "server",
        "issuer": "files",
        "files": server,
        "hostnames": [name],
        "trust": {"sources": [{"src": str(folder / "ca.pem")}]},
        "probe": probe,
    }
    hosts = {
        name: {"mtls_server_credentials": [credential], "mtls_server_sites": given}
        for name, given in SITES.items()
    }
    version = machine.sh("nginx -v 2>&1 | sed 's|.*/||; s| .*||'")
    found: dict[str, Any] = rendered.server_parts(folder, version, hosts)["parts"]
    return found


def installed(host: Any, part: dict[str, Any]) -> str:
    """What `nginx -t` warns of once the part is proven."""
    done = host.call(parts=part, timeout_s=60)
    assert done.get("state") == "stable", done["msg"]
    assert {row["verdict"] for row in done["proof"]} == {"ok"}
    said: str = host.sh("nginx -t 2>&1 | grep -v -e 'syntax is ok' -e 'test is successful' || true")
    return said


@pytest.mark.parametrize(("name", "lines"), [("one", 0), ("some", 2), ("many", 4), ("long", 4)])
def test_nginx_has_room(host: Any, parts: dict[str, Any], name: str, lines: int) -> None:
    assert installed(host, parts[name]) == ""
    assert host.sh(HASHES) == str(lines)


def test_without_it_nginx_would_complain(host: Any, parts: dict[str, Any]) -> None:
    installed(host, parts["some"])
    host.sh("sed -i /_hash_/d $(readlink -f /etc/nginx/mtls/current)/mtls.conf")
    assert "could not build optimal variables_hash" in host.sh("nginx -t 2>&1")


def test_beside_a_setting_of_the_user(host: Any, parts: dict[str, Any]) -> None:
    """From before, and one that comes later: nginx refuses the two until the next run leaves ours out."""
    host.write(OWN, "variables_hash_bucket_size 256;\n")
    host.sh("nginx -t -q && systemctl reload nginx")
    assert installed(host, parts["some"]) == ""
    assert host.sh(HASHES) == "1"
    host.write(OWN, "variables_hash_bucket_size 256;\nvariables_hash_max_size 4096;\n")
    assert "is duplicate" in host.sh("nginx -t 2>&1", check=False)
    assert installed(host, parts["some"]) == ""
    assert host.sh(HASHES) == "0"
