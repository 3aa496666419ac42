# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A headless Chromium, driven by WebDriver (a W3C recommendation): JSON over HTTP, so no library is needed.

Debian's packages chromium and chromium-driver. Not of the recommendation: Chromium's options and its log.
"""

from __future__ import annotations

import base64
import contextlib
import json
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_STARTED = re.compile(r"started successfully on port (\d+)")


class Browser:
    """One window. *get*, *run* and the like raise urllib.error.HTTPError for what the browser refuses."""

    def __init__(self, port: int, dark: bool) -> None:
        self._root = f"http://127.0.0.1:{port}"
        arguments = [
            "--headless=new",
            "--no-sandbox",
            "--hide-scrollbars",
            "--disable-gpu",
            "--force-color-profile=srgb",
        ]
        if dark:
            arguments.append("--blink-settings=preferredColorScheme=0")
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": "/usr/bin/chromium", "args": arguments},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }
        made = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._root += f"/session/{made['sessionId']}"

    def _ask(self, method: str, path: str, content: Any = None) -> Any:
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(self._root + path, data, method=method)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)["value"]

    def get(self, path: Path) -> None:
        self._ask("POST", "/url", {"url": path.as_uri()})

    def run(self, script: str, *arguments: Any) -> Any:
        """What the function with this body returns."""
        return self._ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def size(self, width: int, height: int) -> None:
        self._ask("POST", "/window/rect", {"width": width, "height": height})

    def screenshot(self, target: Path) -> None:
        """Of what the window shows."""
        target.write_bytes(base64.b64decode(self._ask("GET", "/screenshot")))

    def pdf(self, target: Path) -> None:
        target.write_bytes(
            base64.b64decode(self._ask("POST", "/print", {"background": True, "orientation": "landscape"}))
        )

    def complaints(self) -> list[str]:
        """All that came to the console since the last call."""
        return [one["message"] for one in self._ask("POST", "/se/log", {"type": "browser"})]

    def requests(self) -> list[str]:
        """The address of each request since the last call."""
        entries = [
            json.loads(one["message"])["message"]
            for one in self._ask("POST", "/se/log", {"type": "performance"})
        ]
        return [
            one["params"]["request"]["url"] for one in entries if one["method"] == "Network.requestWillBeSent"
        ]

    def close(self) -> None:
        self._ask("DELETE", "")


@contextlib.contextmanager
def browser(dark: bool = False) -> Iterator[Browser]:
    with subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True) as driver:
        try:
            assert driver.stdout is not None
            found = next(filter(None, map(_STARTED.search, driver.stdout)), None)
            assert found, "chromedriver has not started"
            window = Browser(int(found[1]), dark)
            try:
                yield window
            finally:
                window.close()
        finally:
            driver.terminate()
