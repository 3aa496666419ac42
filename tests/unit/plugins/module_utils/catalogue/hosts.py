# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of what is wrong with a host: its nginx, its configuration, what it serves."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path
from unittest import mock

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import answering, audit, key_curve
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.intent import refuse_older_trust
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import installed, processes
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils._core import (
    test_allowlist as allowlists,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils._core import (
    test_default_server as defaults,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils._core import test_intent as intents
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils._core import test_undone as undone
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils._host import test_host as hosts
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils._host import (
    test_processes as tables,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils._host import (
    test_trial as trials,
)
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.catalogue.rows import caught, row


@row("server.default_governs")
def default_governs():
    """a user's default server that keeps sessions | that keeps none"""

    def beside(cache: str):
        http = f"server {{ listen 443 ssl default_server; ssl_session_cache {cache}; }} ENTRY;"
        return caught(lambda: defaults.plan(defaults.site(), http=http))

    return beside("shared:x:1m"), beside("off")


@row("include.absolute")
def include_absolute():
    """an absolute path | a relative one"""
    return _judged("include {root}/mtls/current/mtls.conf;"), _judged("include mtls/current/mtls.conf;")


def _judged(text: str):
    with tempfile.TemporaryDirectory() as folder:
        etc = hosts.Etc(Path(folder))
        dump = f"# configuration file {etc.root}/nginx.conf:\n{text.format(root=etc.root)}\n"
        return caught(lambda: etc.host().judge_dump(hosts.read_dump(dump), []))


@row("include.missing")
def include_missing():
    """an nginx without conf.d | with it"""
    told = []
    for there in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            etc = hosts.Etc(Path(folder))
            if not there:
                (etc.root / "conf.d").rmdir()
            told.append(caught(lambda etc=etc: etc.host().write_include()))
    return told[0], told[1]


@row("rollback.trust_older")
def trust_older():
    """the target trusts a CA that the live release does not | the other way round"""
    one, two = intents.source(b"1"), intents.source(b"1", b"2")
    return caught(lambda: refuse_older_trust(one, two)), caught(lambda: refuse_older_trust(two, one))


def _looked(change):
    """A master with one worker, after *change*."""
    with (
        tempfile.TemporaryDirectory() as folder,
        mock.patch.multiple(processes, _SETTLE_S=0.02, _LOOK_AGAIN_S=0.001),
    ):
        world = tables.World(Path(folder))
        world.add(10, tables.MASTER, 1)
        world.add(11, tables.WORKER, 10)
        world.pid_file.write_text("10\n")
        change(world)
        return caught(lambda: world.processes().master(str(world.pid_file)))


@row("nginx.upgrade_in_flight")
def upgrade_in_flight():
    """a second master below the first | a second worker"""
    return (
        _looked(lambda world: world.add(20, tables.MASTER, 10)),
        _looked(lambda world: world.add(20, tables.WORKER, 10)),
    )


@row("nginx.many_masters")
def many_masters():
    """two masters and an empty pid file | the pid file names one"""

    def change(world, text: str) -> None:
        world.add(20, tables.MASTER, 1)
        world.pid_file.write_text(text)

    return _looked(lambda world: change(world, "")), _looked(lambda world: change(world, "20"))


@row("nginx.master_stopped")
def master_stopped():
    """it is stopped | it waits for the disk"""
    return (
        _looked(lambda world: world.add(10, tables.MASTER, 1, state="T")),
        _looked(lambda world: world.add(10, tables.MASTER, 1, state="D")),
    )


@row("nginx.open_files")
def open_files():
    """12 of 12 files are open | 12 of 1024"""
    told = []
    for limit in (12, 1024):
        with tempfile.TemporaryDirectory() as folder:
            etc = hosts.Etc(Path(folder))
            more = {"open_files": lambda _pid, limit=limit: (12, limit), "workers": lambda _pid: ((), ())}
            host = hosts.started(etc, hosts.with_processes(etc, **more))
            told.append(caught(partial(host.refuse_few_files, host.master())))
    return told[0], told[1]


@row("server.name_taken")
def name_taken():
    """a block before ours with its name and address | with its name on another port"""
    return (
        undone.told(before="server { listen 443; server_name site.example.com; }"),
        undone.told(before="server { listen 444; server_name site.example.com; }"),
    )


@row("server.name_hidden")
def name_hidden():
    """a block behind ours with its name | with another name"""
    return (
        undone.told(behind="server { listen 443; server_name site.example.com; }"),
        undone.told(behind="server { listen 443; server_name own.example.com; }"),
    )


@row("server.tls_repeated")
def tls_repeated():
    """a second certificate in the site | a cipher list, which tls.conf does not have"""
    return undone.told(site="ssl_certificate /x.pem;"), undone.told(site="ssl_ciphers HIGH;")


@row("server.tls_overridden")
def tls_overridden():
    """a location below that does not verify | one that only keeps no sessions"""
    return (
        undone.told(route="location /x { proxy_ssl_verify off; }"),
        undone.told(route="location /x { proxy_ssl_session_reuse off; }"),
    )


@row("server.tls_command")
def tls_command():
    """an authority put in the trust's place | an order of suites"""
    return (
        undone.told(http="ssl_conf_command VerifyCAFile /x.pem;"),
        undone.told(http="ssl_conf_command Options PrioritizeChaCha;"),
    )


@row("server.headers_dropped")
def headers_dropped():
    """a location that sets a header of its own | one that inherits those of the site"""
    text = 'proxy_set_header X-SSL-Client-Verify ""; location /x { proxy_pass http://a;%s }'
    return undone.told(site=text % " proxy_set_header A b;"), undone.told(site=text % "")


@row("server.headers_passed")
def headers_passed():
    """FastCGI | HTTP"""
    return (
        undone.told(site="location /x { fastcgi_pass unix:/run/php.sock; }"),
        undone.told(site="location /x { proxy_pass http://a; }"),
    )


@row("server.verify_changed")
def verify_changed():
    """inherited by a site that says nothing | by one that says its own"""
    return (
        undone.told(http="ssl_verify_client optional;", verify=""),
        undone.told(http="ssl_verify_client optional;"),
    )


@row("server.unverified_clients")
def unverified_clients():
    """a site that says optional_no_ca | one that says optional"""
    return (
        undone.told(verify="ssl_verify_client optional_no_ca;"),
        undone.told(verify="ssl_verify_client optional;"),
    )


@row("nginx.orphan_workers")
def orphan_workers():
    """the master has gone and its worker has not | both have"""

    def both(world) -> None:
        world.drop(10)
        world.drop(11)

    return _looked(lambda world: world.drop(10)), _looked(both)


@row("nginx.trial_not_run")
def trial_not_run():
    """a program that is no nginx | nothing to ask of it"""

    def tried(source):
        with tempfile.TemporaryDirectory(dir="/tmp") as folder:
            runner = trials.runner(folder, "/bin/false")
            return caught(lambda: runner.rows(trials.whole(source), (), folder, trials.ID))

    return tried(trials.SERVER), tried({})


@row("endpoint.served_differs_from_file")
def served_differs():
    """another certificate is served | the one on disk"""
    found = installed.Installed({"release": "0" * 16})
    served = installed.Served(found, lambda der: {"subject": "CN=x"})
    answer = {
        "address": "192.0.2.1:443", "server_name": "orders.example.com", "release": None, "sha256": "a" * 64,
        "subject": "CN=x",
    }  # fmt: skip
    told = [list(served._differences("server", on_disk * 64, answer)) for on_disk in ("b", "a")]
    return told[0], told[1]


@row("edge.not_allowed")
def not_allowed():
    """a client that is not on the list | the one that is"""
    return _refused(allowlists.OTHER, [{"dn": allowlists.B1.dn}]), _refused(
        allowlists.B1, [{"dn": allowlists.B1.dn}]
    )


@row("edge.curve")
def curve():
    """a site of TLS 1.2 alone | of TLS 1.3, too"""

    def of(*protocols: str):
        found = key_curve.refusal("prime256v1", protocols, ["secp384r1"])
        return [found] if found else []

    return of("TLSv1.2"), of("TLSv1.2", "TLSv1.3")


@row("edge.no_site")
def no_site():
    """a site at another port | at the port that is asked for"""

    def at(port: int):
        site = {"server_names": ["orders.test"], "listen": [f"*:{port}"]}
        found = answering.no_site("a1", "orders.test", "a1:443", [site])
        return [found] if found else []

    return at(8443), at(443)


@row("edge.probe_identity")
def probe_identity():
    """the probe identity of an A | the certificate of a B"""
    return _refused(allowlists.OTHER, []), _refused(allowlists.B1, [])


def _refused(client, allow):
    found = allowlists.refusal(client, allow, (allowlists.OTHER.sha1,) if not allow else ())
    return [found] if found else []


def _unread(state: str):
    found = audit.unread(state, "a1", "Connection timed out")
    return [found] if found else []


@row("audit.unreachable")
def host_unreachable():
    """a host that was not reached | one that was read"""
    return _unread(audit.UNREACHABLE), _unread(audit.READ)


@row("audit.failed")
def host_failed():
    """a host that was read in part | one that was read"""
    return _unread(audit.PARTLY), _unread(audit.READ)


@row("audit.not_asked")
def host_not_asked():
    """a host outside the limit | one that was asked, and not reached"""
    return _unread(audit.NOT_ASKED), _unread(audit.UNREACHABLE)


@row("audit.unproven")
def release_unproven():
    """a state file at the step switched | at stable"""
    found = [audit.unproven(step, "a1") for step in ("switched", "stable")]
    return [found[0]], [one for one in found[1:] if one]


@row("audit.inventory_refused")
def inventory_refused():
    """an inventory with a problem | with none"""
    found = [audit.inventory_refused(text) for text in ("No site has that credential.", "")]
    return [found[0]], [one for one in found[1:] if one]
