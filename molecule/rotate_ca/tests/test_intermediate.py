# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A new intermediate under the same root, where lists are in use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml
from ca_scene import (
    NO_SOAK,
    Caller,
    Run,
    admitted,
    anew,
    as_documented,
    caller,
    everything,
    files,
    generations,
    issued_by,
    laid,
    newest,
    roots,
    rotate_ca,
    served_by,
    trusted,
    watched,
)
from cryptography import x509
from pki import Authority, write_private
from scene import BASE, Scene

pytestmark = pytest.mark.whole

INTERMEDIATE = ("-e", "rotate_ca_new=intermediate")
YES, NO = [200, 200], [400, 400]


def authority(scene: Scene, name: str) -> Authority:
    folder = generations(scene)[newest(scene)]
    return Authority.read(folder / f"{name}.pem", folder / f"{name}.key")


def stolen(scene: Scene, name: str) -> Caller:
    """What b had, in somebody else's hands: b has another one, and this one is revoked."""
    folder = scene.pki / "rotate_ca"
    folder.mkdir(exist_ok=True)
    pair = folder / f"{name}.pem", folder / f"{name}.key"
    for path, file in zip(pair, ("fullchain.pem", "privkey.pem")):
        write_private(path, scene.run("b", f"cat {BASE}/current/proxy/credentials/client/{file}").encode())
    found = laid(scene, *pair)
    assert admitted(scene, found) == YES
    for playbook, *given in (
        ("rotate", "rotate_hosts=b.example.com", "rotate_force=true"),
        ("revoke", f"revoke_serial={found.serial}"),
    ):
        arguments = [word for one in given for word in ("-e", one)]
        code, output = scene.ansible("ansible-playbook", f"mutual_tls.nginx.{playbook}", *arguments)
        assert code == 0, output
    return found


@pytest.fixture(name="revoked", scope="module")
def _revoked(scene, old) -> Iterator[Caller]:
    """Intermediates sign, and lists are in use: whoever is revoked by them."""
    inventory = yaml.safe_load((scene.project / "inventory.yml").read_text())
    inventory["all"]["vars"]["private_ca_intermediate"] = True
    (scene.project / "intermediate.yml").write_text(yaml.safe_dump(inventory))
    try:
        anew(scene, "intermediate.yml")
        yield stolen(scene, "revoked")
    finally:
        anew(scene)


def lists(scene: Scene) -> dict[str, set[str]]:
    """Place to the issuers of its lists."""
    end = "-----END X509 CRL-----\n"
    return {
        place: {
            x509.load_pem_x509_crl((one + end).encode()).issuer.rfc4514_string()
            for one in text.split(end)
            if one.strip()
        }
        for place, text in files(scene, "crl.pem").items()
    }


def test_a_new_intermediate(scene, revoked):
    """In the place of the new one that everybody is to trust comes its list; what the old one has signed is
    accepted to the end, since all trust the root."""
    first = authority(scene, "intermediate")
    partner = caller(scene, first, "partner", first)
    names = ["CN=mtls CA 1", "CN=mtls CA 1 issuing"]
    assert list(lists(scene).values()) == [set(names)] * 4
    with watched(scene) as watch:
        run = as_documented(scene, "rotate_ca -e rotate_ca_phase=trust -e rotate_ca_new=intermediate")
    assert run.code == 0, run.output
    watch.handed_over()
    names.append("CN=mtls CA 1 issuing 2")
    assert list(lists(scene).values()) == [set(names)] * 4
    assert set(issued_by(scene).values()) == {names[1]}
    second = authority(scene, "intermediate-2")
    guest = caller(scene, second, "guest", second)
    assert [admitted(scene, one) for one in (partner, guest, revoked)] == [YES, YES, NO]

    with watched(scene) as watch:
        run = rotate_ca(scene, "issue", *INTERMEDIATE)
    assert run.code == 0, run.output
    watch.handed_over()
    assert set(issued_by(scene).values()) == {names[2]}
    assert set(served_by(scene).values()) == {names[2]}

    before = everything(scene)
    run = rotate_ca(scene, "retire", *INTERMEDIATE, *NO_SOAK)
    assert (run.code, run.changed) == (0, 0), run.output
    assert everything(scene) == before
    assert list(trusted(scene).values()) == [set(roots(scene).values())] * 4

    one_of_the_new = stolen(scene, "later")
    clients = partner, guest, revoked, one_of_the_new
    assert [admitted(scene, one) for one in clients] == [YES, YES, NO, NO]
    code, output = scene.site()
    assert (code, Run(code, output).changed) == (0, 0), output
