#!/usr/bin/env python
# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks nginx of three throw-away hosts for its verdict on every form of a file, and writes the table that the
units compare with: tests/unit/plugins/module_utils/nginx_verdicts.json.

    file_forms.py            starts the hosts, asks, writes the table, removes the hosts
    file_forms.py --check    writes nothing and fails where a verdict is another one

Each form goes into ssl_certificate, ssl_certificate_key, ssl_client_certificate or ssl_crl of a configuration
that is good in everything else; `nginx -t` without a terminal is the judge. Takes about two minutes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOSTS = ROOT / "tests" / "lab" / "hosts.py"
TABLE = ROOT / "tests" / "unit" / "plugins" / "module_utils" / "nginx_verdicts.json"
RELEASES = {"bookworm": "1.22", "trixie": "1.26", "sid": "1.30"}

CONFIGURATION = """\
error_log stderr; pid {folder}/pid; events {{}}
http {{ access_log off; server {{ listen unix:{folder}/s.sock ssl; {lines} }} }}
"""
LINES = {
    "certificate": "ssl_certificate {file}; ssl_certificate_key {folder}/good.key;",
    "private_key": "ssl_certificate {folder}/good.pem; ssl_certificate_key {file};",
    "trust": "ssl_certificate {folder}/good.pem; ssl_certificate_key {folder}/good.key;"
    " ssl_verify_client on; ssl_client_certificate {file};",
    "crl": "ssl_certificate {folder}/good.pem; ssl_certificate_key {folder}/good.key;"
    " ssl_verify_client on; ssl_client_certificate {folder}/good.pem; ssl_crl {file};",
}
# Runs on the host; prints one line of JSON. Configurations and files are there already.
JUDGE = """\
import json, subprocess, sys
said = {}
for name in json.load(open(sys.argv[1] + "/names.json")):
    done = subprocess.run(["nginx", "-t", "-c", f"{sys.argv[1]}/{name}.conf"], capture_output=True,
                          stdin=subprocess.DEVNULL, start_new_session=True)
    said[name] = done.returncode == 0
print(json.dumps(said))
"""
THERE = "/root/file-forms"


def lay_down(folder: Path) -> dict[str, tuple[str, str]]:
    """Files and configurations of all forms; number → (slot, form)."""
    from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils import forms

    world = forms.world()
    (folder / "good.pem").write_bytes(forms.block("CERTIFICATE", world.leaf))
    (folder / "good.key").write_bytes(forms.block("PRIVATE KEY", forms.private(world.key)))
    names: dict[str, tuple[str, str]] = {}
    for slot in forms.SLOTS:
        for form, data in forms.of(slot).items():
            name = str(len(names))
            names[name] = (slot, form)
            (folder / name).write_bytes(data)
            lines = LINES[slot].format(file=f"{THERE}/{name}", folder=THERE)
            (folder / f"{name}.conf").write_text(CONFIGURATION.format(folder=THERE, lines=lines))
    (folder / "names.json").write_text(json.dumps(list(names)))
    (folder / "judge.py").write_text(JUDGE)
    return names


def ask(image: str, folder: Path) -> dict[str, bool]:
    start = [sys.executable, str(HOSTS), "start", f"forms-{image}.example.com", image]
    host = subprocess.run(start, check=True, stdout=subprocess.PIPE, text=True).stdout.split()[-1]
    try:
        subprocess.run(["podman", "cp", str(folder), f"{host}:{THERE}"], check=True)
        judge = ["podman", "exec", host, "python3", f"{THERE}/judge.py", THERE]
        said: dict[str, bool] = json.loads(subprocess.run(judge, check=True, stdout=subprocess.PIPE).stdout)
        return said
    finally:
        subprocess.run(["podman", "rm", "-f", "-t", "1", host], check=True, stdout=subprocess.DEVNULL)


def main() -> int:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "forms"
        folder.mkdir()
        names = lay_down(folder)
        table: dict[str, dict[str, list[str]]] = {}
        for image, release in RELEASES.items():
            for name, loads in ask(image, folder).items():
                slot, form = names[name]
                row = table.setdefault(slot, {}).setdefault(form, [])
                if loads:
                    row.append(release)
    text = json.dumps(table, indent=1, ensure_ascii=False) + "\n"
    if "--check" in sys.argv[1:]:
        known = json.loads(TABLE.read_text(encoding="utf-8"))
        differ = [
            f"{slot}: {form}"
            for slot in table
            for form in table[slot]
            if known[slot].get(form) != table[slot][form]
        ]
        print(*differ, f"{sum(map(len, table.values()))} forms, {len(differ)} other verdicts", sep="\n")
        return bool(differ)
    TABLE.write_text(text, encoding="utf-8")
    print(f"{TABLE.relative_to(ROOT)}: {sum(map(len, table.values()))} forms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
