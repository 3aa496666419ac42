# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tries a release on the host it lies on, with no findings before and no switch behind it.

The release's source as JSON ({path: base64}) on stdin, its rows as JSON on stdout. With `hold` as argument it
waits where nginx runs, until it is killed.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import tempfile
import time
from datetime import datetime, timezone

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import release
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import trial as core
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.changes import changed_things
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.nginx_conf import read_dump
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import files, nginx, probe, shadow, trial
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.prover import Prover
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.service import Service
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.wiring import foreign_maker
from ansible_collections.mutual_tls.nginx.plugins.module_utils._x509 import foreign

BINARY = "/usr/sbin/nginx"


def hold(*_anything, **_more):
    print("here", flush=True)
    time.sleep(600)


def main() -> None:
    os.umask(0o077)
    source = {path: base64.b64decode(text) for path, text in json.load(sys.stdin).items()}
    identity = release.release_id(release.with_entry(source))
    directory = tempfile.mkdtemp(dir="/root") + "/release"
    files.write_tree(directory, release.render(source, directory, identity))
    tree = read_dump(nginx.run([BINARY, "-T", "-q"], 10).out).tree()
    asked = core.trial(source, identity, changed_things({}, source))
    at = datetime.now(timezone.utc)
    begin, cpu_begin = time.monotonic(), sum(os.times()[:4])
    with shadow.scratch() as scratch:
        prover = Prover(probe.probe, foreign_maker(foreign.foreign_identity, scratch, at), 5.0)
        runner = trial.Runner(
            BINARY,
            "/usr/share/nginx",
            nginx.build_of(BINARY, 5).without,
            Service("nginx", nginx.run, 5).environment(),
            hold if "hold" in sys.argv else prover.rows,
            hold if "hold" in sys.argv and not asked.server else probe.probe,
            scratch,
        )
        try:
            rows = [
                {**row.to_dict(), "cause": row.cause} for row in runner.rows(asked, tree, directory, identity)
            ]
            spent = time.monotonic() - begin, sum(os.times()[:4]) - cpu_begin
            print(json.dumps({"rows": rows, "ms": round(1000 * spent[0]), "cpu_ms": round(1000 * spent[1])}))
        except MtlsError as error:
            print(json.dumps({"error": str(error), "code": error.code, "rows": []}))
    files.remove_tree(os.path.dirname(directory))


main()
