# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.account import (
    ROOT,
    Access,
    Account,
    files_for,
    of_process,
)
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError

WEB = Account(995, 990, (990, 4), ("net_bind_service",))
STATUS = """Name:\tnginx
Uid:\t1\t2\t3\t{uid}
Gid:\t1\t2\t3\t990
Groups:\t990 4
CapEff:\t000001ffffffffff
CapAmb:\t{ambient}
"""


def test_roots_files_are_as_they_ever_were() -> None:
    assert (ROOT.folder, ROOT.file(0o600), ROOT.file(0o644)) == (
        Access(0o700),
        Access(0o600),
        Access(0o644),
    )
    assert ROOT.command("/usr/bin/setpriv") == []


def test_an_ordinary_user_reads_and_writes_nothing() -> None:
    assert WEB.folder == Access(0o750, -1, 990, True)
    # Its own and not its group's: a member of that group reads no key.
    assert WEB.file(0o600) == Access(0o400, 995, -1, True)
    assert WEB.file(0o644) == Access(0o644, -1, -1, True)


@pytest.mark.parametrize(
    ("account", "groups", "caps"),
    [
        (WEB, "--groups=990,4", "-all,+net_bind_service"),
        (Account(995, 990), "--clear-groups", "-all"),
    ],
)
def test_a_program_runs_as_it(account: Account, groups: str, caps: str) -> None:
    assert account.command("/setpriv", "--pdeathsig=TERM") == [
        *("/setpriv", "--reuid=995", "--regid=990", groups),
        *(f"--inh-caps={caps}", f"--ambient-caps={caps}", "--pdeathsig=TERM", "--"),
    ]


def test_of_a_process() -> None:
    # Of the four ids that of the file system opens files; what it may do itself is not what it passes on.
    assert of_process(STATUS.format(uid=995, ambient="0000000000000400")) == Account(
        995, 990, (990, 4), ("cap_10",)
    )
    assert of_process(STATUS.format(uid=0, ambient="0")).is_root
    assert of_process("") == of_process("Uid:\t1\n") == ROOT


def test_whom_the_files_are_for() -> None:
    assert files_for(None, ROOT, "nginx") == files_for(ROOT, ROOT, "nginx") == ROOT
    assert files_for(None, WEB, "nginx") == files_for(WEB, ROOT, "nginx") == WEB
    # The unit has been changed, and nginx is to be restarted yet: root reads what is the other's.
    assert files_for(ROOT, WEB, "nginx") == WEB
    assert files_for(WEB, Account(995), "nginx") == WEB
    with pytest.raises(MtlsError, match="number 995, and User= of its unit is number 7") as found:
        files_for(WEB, Account(7), "web-nginx")
    assert "systemctl restart web-nginx" in found.value.remedy
