# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.nginx_program import (
    Built,
    Invocation,
    built,
    configuration_path,
    invocation,
    started,
)

SAID = (
    "nginx version: nginx/1.22.1\nconfigure arguments: --prefix=/usr/share/nginx "
    "--conf-path=/etc/nginx/nginx.conf"
)
BUILT = Built((1, 22, 1), "/usr/share/nginx", "/etc/nginx/nginx.conf", "logs/nginx.pid", "logs/error.log")
OWN_BUILD = Built((1, 26, 3), "/usr/local/nginx", "conf/nginx.conf", "logs/nginx.pid", "logs/error.log")


@pytest.mark.parametrize(
    ("title", "path", "own_build"),
    [
        ("", "/etc/nginx/nginx.conf", "/usr/local/nginx/conf/nginx.conf"),
        ("nginx -g daemon on;", "/etc/nginx/nginx.conf", "/usr/local/nginx/conf/nginx.conf"),
        ("nginx -c /opt/n.conf", "/opt/n.conf", "/opt/n.conf"),
        ("nginx -c/opt/n.conf", "/opt/n.conf", "/opt/n.conf"),
        ("nginx -qc /opt/n.conf", "/opt/n.conf", "/opt/n.conf"),
        ("nginx -c n.conf", "/usr/share/nginx/n.conf", "/usr/local/nginx/n.conf"),
        ("nginx -p /srv -c conf/n.conf", "/srv/conf/n.conf", "/srv/conf/n.conf"),
        ("nginx -p /srv/", "/etc/nginx/nginx.conf", "/srv/conf/nginx.conf"),
        ("nginx -g daemon on; -c /opt/n.conf -e /e", "/opt/n.conf", "/opt/n.conf"),
    ],
)
def test_the_main_file_of_a_master(title: str, path: str, own_build: str) -> None:
    assert configuration_path(BUILT, invocation(title.split())) == path
    assert configuration_path(OWN_BUILD, invocation(title.split())) == own_build


def test_arguments_whose_quotes_are_lost() -> None:
    title = "/usr/sbin/nginx -g daemon on; master_process on; -p /srv -e stderr"
    found = invocation(title.split())
    assert found == Invocation("/srv", "", "daemon on; master_process on;", "stderr")
    assert found.arguments() == ["-p", "/srv", "-g", "daemon on; master_process on;", "-e", "stderr"]
    assert invocation(["nginx", "-t", "-q"]).arguments() == []
    assert invocation(["nginx", "-s", "reload", "-c"]) == Invocation()


@pytest.mark.parametrize("name", ["nginx", "openresty", "freenginx"])
def test_what_is_compiled_in(name: str) -> None:
    assert built(SAID.replace("nginx/1", f"{name}/1"), "/x/nginx") == BUILT


def test_what_it_was_built_without() -> None:
    found = built(f"{SAID} --without-http_scgi_module --without-pcre --without-http_uwsgi_module", "nginx")
    assert found.without == {"scgi", "uwsgi"}


def test_a_program_that_is_no_nginx() -> None:
    with pytest.raises(MtlsError, match=r"^/bin/true: ") as told:
        built("GNU coreutils 9.1", "/bin/true")
    assert "version" in told.value.message


OURS, OTHER, ELSEWHERE = (
    Invocation(conf=path) for path in ("/etc/nginx/a.conf", "/etc/nginx/b.conf", "/opt/n.conf")
)


@pytest.mark.parametrize(
    ("running", "unit", "chosen"),
    [
        ([], Invocation(), Invocation()),
        ([], OURS, OURS),
        # What runs counts more than what the unit says, unless several run that fit.
        ([OTHER], OURS, OTHER),
        ([OTHER, OURS], OURS, OURS),
        ([OTHER, Invocation()], OURS, OURS),
        # An instance whose configuration lies elsewhere is not ours.
        ([ELSEWHERE], OURS, OURS),
        ([ELSEWHERE], ELSEWHERE, Invocation()),
    ],
)
def test_what_our_nginx_is_started_with(
    running: list[Invocation], unit: Invocation, chosen: Invocation
) -> None:
    assert started("/etc/nginx/mtls", BUILT, running, unit) == chosen


def test_where_none_fits_the_units_is_told() -> None:
    assert started("/srv/mtls", BUILT, [OTHER], OURS) == OURS
