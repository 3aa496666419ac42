# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys inline and the passphrase `a`, with -vvv and --diff: nothing of them is anywhere but in the release.

Searched: all that is printed, the journal and logs, arguments and environments of all processes while
the module runs, files of the host that others can read, its disk, and the controller's own disk.
"""

from __future__ import annotations

import base64
import re
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from pki import SERVER
from scene import BASE, HERE, TOOLS

pytestmark = pytest.mark.usefixtures("files")
PASSPHRASE = "a"
MASK = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"


def needles(pem: str, passphrase: str = "") -> set[bytes]:
    """What gives a key away: lines of its PEM as given and in clear, its number as bytes, hex, base64."""
    key = serialization.load_pem_private_key(pem.encode(), passphrase.encode() or None)
    clear = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    lines = {line for text in (pem, clear) for line in text.splitlines() if line and "-----" not in line}
    number = key.private_numbers().private_value.to_bytes(32, "big")
    found = {line.encode() for line in lines if len(line) > 20}
    return found | {number, number.hex().encode(), number.hex().upper().encode(), base64.b64encode(number)}


@pytest.fixture(scope="module")
def secret(scene):
    """(good pair, pair that does not match) for a, each with the key encrypted by the passphrase `a`."""
    folder, root = scene.pki / "rollback", scene.authority()
    pairs = []
    for name in ("inline", "inline-other"):
        root.leaf(
            folder / name,
            "CN=orders.example.com",
            SERVER,
            ("orders.example.com",),
            passphrase=PASSPHRASE.encode(),
        )
        pairs.append([(folder / f"{name}.{suffix}").read_text() for suffix in ("pem", "key")])
        # On the controller the keys are in these arguments alone.
        (folder / f"{name}.key").unlink()
    return pairs


def files_with(found: set[bytes], *folders: Path) -> list[str]:
    """The controller's files below *folders* that hold one of the needles."""
    return [
        str(path)
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and any(needle in path.read_bytes() for needle in found)
    ]


@pytest.mark.parametrize("good", [True, False], ids=["success", "failure"])
def test_nothing_of_a_key_is_anywhere(scene, secret, tmp_path, good):
    (certificate, key), (dummy, other) = secret
    given = key if good else other
    hidden = needles(given, PASSPHRASE)
    credential = {
        "name": "server",
        "certificate_content": certificate,
        "private_key_content": given,
        "private_key_passphrase": PASSPHRASE,
    }
    local, home = tmp_path / "local", tmp_path / "home"
    scene.lab.copy(HERE / "watcher.py", "a.example.com", f"{TOOLS}/watcher.py")
    patterns = sorted(base64.b64encode(needle).decode() for needle in hidden)
    watcher = subprocess.Popen(
        ["podman", "exec", "-i", scene.lab.container("a.example.com"), "python3", f"{TOOLS}/watcher.py"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert watcher.stdin is not None
    assert watcher.stdout is not None
    watcher.stdin.write(" ".join(patterns) + "\n")
    watcher.stdin.flush()
    assert watcher.stdout.readline() == "watching\n"
    result = scene.release(
        "a",
        *("-vvv", "--diff"),
        parts={"server": {"credentials": [credential, {"name": "probe"}]}},
        environment={"ANSIBLE_LOCAL_TEMP": str(local), "ANSIBLE_HOME": str(home)},
    )
    seen, looks, hits = watcher.communicate(timeout=30)[0].partition(" looks\n")
    assert int(seen) > 20
    assert (looks, hits) == (" looks\n", "")

    told = result.told
    assert (result.code == 0, told["state"]) == ((True, "stable") if good else (False, "")), told.get("msg")
    # The passphrase `a` garbles nothing.
    words = str({name: value for name, value in told.items() if name != "invocation"})
    assert MASK not in words
    assert "********" not in words
    if good:
        assert {row["verdict"] for row in told["proof"]} <= {"ok", "inconclusive"}
        assert any("certificate served" in row["probe"] for row in told["proof"])
        assert any("CN=orders.example.com" in str(change) for change in told["diff"])
    else:
        assert (told["code"], "credential server" in told["msg"]) == ("pair.key_mismatch", True)
        assert "Give the key that the certificate was requested with" in told["msg"]

    # Printed: result, diff, -vvv. Only the caller's own command line, which -vvv does not show, had them.
    text = result.output.encode()
    assert not [needle for needle in hidden if needle in text]
    assert "PRIVATE KEY-----" not in result.output
    assert not re.search(r'private_key_passphrase\\?": \\?"a\\?"', result.output)

    # On the host: logs, and every file outside of the release.
    live = f"{BASE}/releases"
    script = (
        "import base64, os, sys\n"
        "found = [base64.b64decode(one) for one in sys.stdin.read().split()]\n"
        "for top in ('/etc', '/root', '/home', '/tmp', '/var', '/run', '/dev/shm'):\n"
        "    for folder, _, names in os.walk(top):\n"
        "        for name in names:\n"
        "            path = os.path.join(folder, name)\n"
        "            if os.path.isfile(path) and not os.path.islink(path):\n"
        "                data = open(path, 'rb').read()\n"
        "                if any(one in data for one in found): print(oct(os.stat(path).st_mode)[-3:], path)\n"
    )
    container = scene.lab.container("a.example.com")
    done = subprocess.run(
        ["podman", "exec", "-i", container, "python3", "-c", script],
        input=" ".join(patterns),
        capture_output=True,
        text=True,
        check=True,
    )
    left = done.stdout.split("\n")[:-1]
    identity = scene.live("a")
    assert left == ([f"600 {live}/{identity}/server/credentials/server/privkey.pem"] if good else [])
    journal = scene.run(
        "a", "journalctl --no-pager --quiet -o cat; cat /var/log/syslog /var/log/auth.log 2>/dev/null || true"
    )
    assert not [needle for needle in hidden if needle in journal.encode()]
    assert "PRIVATE KEY" not in journal

    # On the controller.
    folders = [local, home, Path.home() / ".ansible" / "tmp", scene.project]
    assert files_with(hidden, *(folder for folder in folders if folder.exists())) == []


def test_the_search_finds_what_is_there(scene, secret):
    """The twin of the test above: a key in an environment and in a public file is found."""
    hidden = needles(secret[0][1], PASSPHRASE)
    line = next(one.decode() for one in sorted(hidden) if one.isalnum() and len(one) > 40)
    scene.lab.copy(HERE / "watcher.py", "a.example.com", f"{TOOLS}/watcher.py")
    scene.run(
        "a", f"echo {line} >/tmp/planted; chmod 644 /tmp/planted; echo {line} >/tmp/kept; chmod 600 /tmp/kept"
    )
    scene.run("a", f"systemd-run --quiet --unit=planted -E SECRET={line} sleep 60")
    try:
        done = subprocess.run(
            ["podman", "exec", "-i", scene.lab.container("a.example.com"), "python3", f"{TOOLS}/watcher.py"],
            input=base64.b64encode(line.encode()).decode() + "\n",
            capture_output=True,
            text=True,
            check=True,
        )
        pid = scene.run("a", "systemctl show --value -p MainPID planted").strip()
    finally:
        scene.run("a", "systemctl stop planted; rm /tmp/planted /tmp/kept")
    assert {"/tmp/planted", f"/proc/{pid}/environ"} <= set(done.stdout.splitlines())
    assert "/tmp/kept" not in done.stdout
