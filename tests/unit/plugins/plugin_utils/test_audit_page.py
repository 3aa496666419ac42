# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit's page in a real browser: no request, no complaint, hostile text is text, filter and sort."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from audited_fleet import AT, HOSTILE, Fleet
from audited_fleet import report as made_up
from browser import Browser, browser

from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.audit import page
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.audit.report import report

pytestmark = pytest.mark.skipif(
    shutil.which("chromedriver") is None, reason="no chromedriver here: tests/lab/setup.sh checkers"
)

#: Rows of a table that one sees.
ROWS = (
    "return [...document.querySelectorAll(arguments[0] + ' tbody[data-row]')]"
    ".filter(row => row.checkVisibility()).map(row => row.rows[0].innerText)"
)
CLICK = "document.querySelector(arguments[0]).click()"
FILTER = (
    "const field = document.getElementById('filter'); field.value = arguments[0];"
    " field.dispatchEvent(new Event('input'))"
)
#: Elements and scripts that a page of no hosts would not have, and what an attack would leave behind.
INJECTED = "return document.querySelectorAll('img, iframe, object, b > b, script:not(body > script)').length"


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    with browser() as found:
        yield found


def shown(window: Browser, folder: Path, found: dict[str, Any], width: int = 1400) -> Browser:
    path = folder / "audit.html"
    path.write_text(page.html(found), encoding="utf-8")
    window.complaints(), window.requests()
    window.size(width, 900)
    window.get(path)
    return window


def hosts(window: Browser) -> list[str]:
    return [row.split()[1] for row in window.run(ROWS, "#hosts")]


@pytest.mark.parametrize("size", [1, 5, 100, 500])
def test_nothing_is_asked_for_and_nothing_complained_of(window: Browser, tmp_path: Path, size: int) -> None:
    shown(window, tmp_path, made_up(size))
    assert window.requests() == [(tmp_path / "audit.html").as_uri()]
    assert window.complaints() == []


def test_a_request_and_a_complaint_would_be_seen(window: Browser, tmp_path: Path) -> None:
    """The twin: without its policy such a page may ask, and with it the browser complains."""
    bad = '<img src="http://127.0.0.1:9/x">'
    (tmp_path / "bad.html").write_text(bad, encoding="utf-8")
    window.requests()
    window.get(tmp_path / "bad.html")
    assert "http://127.0.0.1:9/x" in window.requests()
    text = page.html(made_up(1))
    (tmp_path / "audit.html").write_text(
        text.replace("<main>", f"<main>{bad}<script>1</script>"), encoding="utf-8"
    )
    window.complaints()
    window.get(tmp_path / "audit.html")
    complaints = " ".join(window.complaints())
    assert "img-src" in complaints and "script-src" in complaints


def test_a_hostile_subject_is_text(window: Browser, tmp_path: Path) -> None:
    shown(window, tmp_path, made_up(5))
    assert window.run(INJECTED) == 0
    assert any("<img src=x onerror=alert(1)></script>" in row for row in window.run(ROWS, "#ends"))
    assert HOSTILE.replace("\\\\", "\\") in window.run("return document.querySelector('main').textContent")


#: Words of the schema, and times.
FIXED = (
    "severity", "state", "validity", "role", "kind", "sides", "verify", "not_after", "next_update",
    "generated",
)  # fmt: skip


def everywhere(value: Any, text: str) -> Any:
    """The report with *text* in place of each text."""
    if isinstance(value, dict):
        return {key: more if key in FIXED else everywhere(more, text) for key, more in value.items()}
    if isinstance(value, list):
        return [everywhere(one, text) for one in value]
    return text if isinstance(value, str) else value


@pytest.mark.parametrize(
    "text",
    [
        "</script><script>document.title = 'bad'</script><img src=x>",
        '"><img src=x onerror="document.title=\'bad\'"><b x="',
        "'><svg onload=document.title='bad'>",
        "</style><script>document.title = 'bad'</script>",
        "{{ 7 * 7 }}{% raw %}<!--",
        "javascript:document.title='bad'",
    ],
)
def test_every_place_is_escaped(window: Browser, tmp_path: Path, text: str) -> None:
    shown(window, tmp_path, everywhere(made_up(5), text))
    assert window.run(INJECTED) == 0
    assert window.run("return document.title").startswith("TLS audit")
    assert window.complaints() == []
    assert text in window.run("return document.querySelector('#hosts').textContent")
    assert window.run("return [...document.links].every(one => one.protocol === 'file:')")


def test_a_page_without_anything(window: Browser, tmp_path: Path) -> None:
    shown(window, tmp_path, report({}, {"all": []}, AT))
    assert "Nothing was found" in window.run("return document.querySelector('#findings').innerText")
    assert window.complaints() == []


# --- filter, sort, folding ---------------------------------------------------------------------------------


def test_the_filter_leaves_what_has_all_words(window: Browser, tmp_path: Path) -> None:
    shown(window, tmp_path, made_up(100))
    assert len(hosts(window)) == 50  # the others by a button
    window.run(FILTER, "legacy0 LEGACY07")
    assert hosts(window) == ["legacy07.example.com"]
    assert window.run(ROWS, "#ends") and all("legacy07" in row for row in window.run(ROWS, "#ends"))
    assert window.run("return document.querySelectorAll('.grid a:not(.out)').length") == 1
    assert window.run("return document.querySelector('#hosts .shown').innerText") == "1 of 100 hosts"
    window.run(FILTER, "")
    assert len(hosts(window)) == 50
    window.run(FILTER, "expiry.expired")  # a code stands in a heading, not in the rows
    assert {one.split()[0] for one in window.run(ROWS, "#findings")} == {
        one["host"] for one in made_up(100)["findings"] if one["code"] == "expiry.expired"
    }


def test_a_long_table_shows_all_when_asked(window: Browser, tmp_path: Path) -> None:
    shown(window, tmp_path, made_up(100))
    window.run(CLICK, "#hosts .limit")
    assert len(hosts(window)) == 100
    assert window.run("return document.querySelector('#hosts .limit').checkVisibility()") is False


@pytest.mark.parametrize(("column", "key"), [(2, lambda row: row), (8, float)])
def test_sorting(window: Browser, tmp_path: Path, column: int, key: Any) -> None:
    shown(window, tmp_path, made_up(100))
    window.run(CLICK, "#hosts .limit")
    value = (
        "return [...document.querySelectorAll('#hosts tbody[data-row]')]"
        f".map(row => row.rows[0].cells[{column - 1}])"
        ".map(cell => cell.dataset.value ?? cell.innerText)"
    )
    head = f"#hosts thead th:nth-child({column})"
    window.run(CLICK, f"{head} button")
    up = [key(one) for one in window.run(value)]
    assert up == sorted(up)
    window.run(CLICK, f"{head} button")
    assert [key(one) for one in window.run(value)] == sorted(up, reverse=True) != up
    assert window.run(f"return document.querySelector('{head}').getAttribute('aria-sort')") == "descending"


def test_severities_are_switched_off_and_on(window: Browser, tmp_path: Path) -> None:
    shown(window, tmp_path, made_up(100))
    before = len(window.run(ROWS, "#findings"))
    window.run(CLICK, "#severities [data-severity=error]")
    without = len(window.run(ROWS, "#findings"))
    window.run(CLICK, "#severities [data-severity=error]")
    assert 0 < without < before == len(window.run(ROWS, "#findings"))


def test_a_host_opens_and_a_link_to_it_opens_it(window: Browser, tmp_path: Path) -> None:
    shown(window, tmp_path, made_up(100))
    state = "return document.getElementById(arguments[0]).querySelector('.detail').checkVisibility()"
    assert window.run(state, "host-a01.example.com") is False
    window.run(CLICK, "[id='host-a01.example.com'] .more")
    assert window.run(state, "host-a01.example.com") is True
    window.run("location.hash = 'host-stuck.example.com'; dispatchEvent(new Event('hashchange'))")
    assert window.run(state, "host-stuck.example.com") is True


def test_all_is_there_without_script(window: Browser, tmp_path: Path) -> None:
    text = re.sub(r"<script>.*?</script>", "", page.html(made_up(100)), flags=re.DOTALL)
    (tmp_path / "plain.html").write_text(text, encoding="utf-8")
    window.get(tmp_path / "plain.html")
    assert len(hosts(window)) == 100
    assert window.run("return [...document.querySelectorAll('.detail')].every(one => one.checkVisibility())")


# --- colours, width, print ---------------------------------------------------------------------------------

GROUND = "return getComputedStyle(document.body).backgroundColor"


def test_the_switch_goes_through_the_colours(window: Browser, tmp_path: Path) -> None:
    shown(window, tmp_path, made_up(5))
    seen = [window.run(GROUND)]
    for _click in range(3):
        window.run(CLICK, "#theme")
        seen.append(window.run(GROUND))
    light, dark = "rgb(255, 255, 255)", "rgb(20, 23, 28)"
    assert seen == [light, dark, light, light]
    window.run("localStorage.clear()")


def test_the_colours_are_those_of_the_system(tmp_path: Path) -> None:
    with browser(dark=True) as window:
        shown(window, tmp_path, made_up(5))
        assert window.run(GROUND) == "rgb(20, 23, 28)"


@pytest.mark.parametrize("width", [360, 800, 1400])
def test_the_page_is_no_wider_than_its_window(window: Browser, tmp_path: Path, width: int) -> None:
    shown(window, tmp_path, made_up(100), width)
    assert window.run("return document.documentElement.scrollWidth <= innerWidth")


#: WCAG 2.2, 1.4.3: by relative luminances, through a dot on a canvas since colours have many notations.
CONTRAST = """
const dot = Object.assign(document.createElement('canvas'), {width: 1, height: 1}).getContext('2d');
const luminance = (colour) => {
  dot.fillStyle = colour; dot.fillRect(0, 0, 1, 1);
  const [r, g, b] = [...dot.getImageData(0, 0, 1, 1).data].map((one) => one / 255)
    .map((one) => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const ground = (one) => { const own = getComputedStyle(one).backgroundColor;
  return own === 'rgba(0, 0, 0, 0)' && one.parentElement ? ground(one.parentElement) : own; };
const low = [];
for (const one of document.querySelectorAll('body *')) {
  if (![...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim())) continue;
  if (!one.checkVisibility() || one.closest('svg, script')) continue;
  const [a, b] = [luminance(getComputedStyle(one).color), luminance(ground(one))].sort((x, y) => y - x);
  const name = `${one.tagName}.${one.className} ${one.textContent.slice(0, 30)}`;
  if ((a + 0.05) / (b + 0.05) < 4.5) low.push(name);
}
return [...new Set(low)];
"""


@pytest.mark.parametrize("dark", [False, True])
def test_text_can_be_read_on_its_ground(tmp_path: Path, dark: bool) -> None:
    with browser(dark) as window:
        shown(window, tmp_path, made_up(100))
        assert window.run(CONTRAST) == []


def test_the_print_has_all_rows_and_no_buttons(window: Browser, tmp_path: Path) -> None:
    shown(window, tmp_path, made_up(100))
    window.pdf(tmp_path / "audit.pdf")
    done = subprocess.run(
        ["pdftotext", "-layout", tmp_path / "audit.pdf", "-"], capture_output=True, text=True, check=True
    )
    assert "Show all" not in done.stdout and "Open all shown" not in done.stdout
    for name in Fleet(100).groups["all"]:
        assert name in done.stdout


def test_the_size_of_the_page() -> None:
    assert len(page.html(made_up(500)).encode()) < 2_000_000
