# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import nginx_time
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError


@pytest.mark.parametrize(
    "text", ["0", "60", "60s", "5m", "1500ms", "1h30m", "1d", "1y2M3w4d5h6m7s8ms", "1M", "1s500ms"]
)
def test_a_time(text: str) -> None:
    assert nginx_time.check(text) == text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("60", 60),
        ("60s", 60),
        ("5m", 300),
        ("1500ms", 2),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        ("1m30", 90),
        ("1y2M3w4d5h6m7s8ms", 38898368),
    ],
)
def test_how_long_that_is(text: str, seconds: int) -> None:
    assert nginx_time.seconds(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "1 minute",
        "1minute",
        "60 s",
        "30m1h",
        "1m1m",
        "1H",
        "s",
        "-1s",
        "1.5s",
        "60s;",
        "60s\n",
        "999999999",
        "off",
    ],
)
def test_no_time(text: str) -> None:
    with pytest.raises(MtlsError) as found:
        nginx_time.check(text, "worker_shutdown_timeout")
    assert found.value.place == "worker_shutdown_timeout"
    assert "60s" in found.value.remedy
