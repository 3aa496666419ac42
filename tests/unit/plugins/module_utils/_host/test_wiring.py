# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.desired import NotYet
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import wiring


def test_a_pending_file_is_another_steps_work_any_other_is_missing(tmp_path: Path) -> None:
    read = wiring.reader(str(tmp_path))
    with pytest.raises(NotYet):
        read(f"{tmp_path}/pending/server/s/privkey.pem")
    for path in (f"{tmp_path}/x", f"{tmp_path}/pending"):
        (tmp_path / "pending").mkdir(exist_ok=True)
        with pytest.raises(MtlsError) as found:
            read(path)
        assert not isinstance(found.value, NotYet)
        assert found.value.place == path


def test_a_file_that_cannot_be_read_equals_no_other(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "b").write_bytes(b"x")
    assert wiring.file_digest(str(tmp_path / "a")) == wiring.file_digest(str(tmp_path / "b"))
    assert wiring.file_digest(str(tmp_path / "c")) != wiring.file_digest(str(tmp_path / "d"))
