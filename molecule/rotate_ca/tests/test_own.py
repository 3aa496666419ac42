# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Authorities of the user's own: from the private CA to one, and from each to the next, with lists.

Each test begins with the authority that the one before it has come to, and needs no other test.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ca_scene import (
    NO_SOAK,
    Caller,
    Run,
    admitted,
    anew,
    as_documented,
    caller,
    everything,
    rotate_ca,
    serials,
    sha256,
    trusted,
    watched,
)
from cryptography import x509
from own_ca import NEW, Own
from pki import Authority
from scene import Scene

pytestmark = pytest.mark.whole


def phase(scene: Scene, name: str) -> Run:
    return rotate_ca(scene, name, "-e", f"rotate_ca_new={NEW}", *NO_SOAK)


def done(scene: Scene, name: str) -> Run:
    """The phase, in which nobody loses a request."""
    with watched(scene) as watch:
        run = phase(scene, name)
    assert run.code == 0, run.output
    watch.handed_over()
    return run


def refused(scene: Scene, name: str) -> Run:
    """The phase, by which nothing changes."""
    before = everything(scene)
    run = phase(scene, name)
    assert everything(scene) == before
    assert run.code != 0, run.output
    return run


class Clients:
    """Clients that the inventory does not know, of the authority that comes; one of them is on its list."""

    def __init__(self, scene: Scene, own: Own, new: Authority, *along: Authority) -> None:
        self.scene, self.new, self.along = scene, new, along
        self.guest = caller(scene, new, "guest", *along)
        self.revoked = caller(scene, new, "revoked", *along)
        path = scene.pki / "rotate_ca" / "revoked.pem"
        own.comes(new, x509.load_pem_x509_certificate(path.read_bytes()))

    def admitted(self, partner: Caller) -> list[list[int]]:
        """What both A answer to one of the old authority, one of the new one, and the revoked one."""
        return [admitted(self.scene, one) for one in (partner, self.guest, self.revoked)]


YES, NO = [200, 200], [400, 400]
ALL = {"a.example.com", "b.example.com", "c.example.com"}


def only(scene: Scene, *authorities: Authority) -> bool:
    """Whether those are trusted everywhere, and no other one."""
    wanted = {sha256(one.pem()) for one in authorities}
    return list(trusted(scene).values()) == [wanted] * 4


@pytest.fixture(name="own", scope="module")
def _own(scene, old) -> Iterator[Own]:
    """All is of an authority in files, which has taken over from the private CA."""
    own, new = Own(scene), Authority.make("CN=Own CA")
    try:
        clients = Clients(scene, own, new)

        private = scene.authority()
        partner = caller(scene, private, "partner")
        run = refused(scene, "trust")
        assert "No trust.sources has CN=Own CA. Add it" in run.said
        own.trusts("first", "second", files=False, lists=[])
        assert clients.admitted(partner) == [YES, NO, NO]
        with watched(scene) as watch:
            run = as_documented(
                scene, "rotate_ca -e rotate_ca_phase=trust -e rotate_ca_new=pki/own/second.pem"
            )
        assert run.code == 0, run.output
        watch.handed_over()
        assert only(scene, private, new)
        assert clients.admitted(partner) == [YES, YES, YES]  # there are no lists yet
        wanted = own.signs(new)
        own.trusts("first", "second", lists=[])
        scene.lay_tools(new)
        done(scene, "issue")
        assert serials(scene) == wanted
        assert clients.admitted(partner) == [YES, YES, YES]
        own.trusts("second")
        done(scene, "retire")
        assert only(scene, new)
        assert clients.admitted(partner) == [NO, YES, NO]
        own.ended(new)
        yield own
    finally:
        anew(scene)


def site_yml_ends_it(scene: Scene) -> None:
    """It lists A's new probe identities by their fingerprints; nothing else is left to do."""
    with watched(scene) as watch:
        code, output = scene.site()
    assert code == 0, output
    watch.handed_over()
    before = everything(scene)
    code, output = scene.site()
    assert (code, Run(code, output).changed) == (0, 0), output
    assert everything(scene) == before


def test_from_the_private_ca_to_one_in_files(scene, own):
    """What comes after its fixture."""
    site_yml_ends_it(scene)


@pytest.mark.parametrize("kind", ["the same subject and a new key", "cross-signed by the old one"])
def test_one_in_files_after_the_other(scene, own, kind):
    first, cross = own.first, "cross" in kind
    new = Authority.make("CN=Next CA" if cross else first.certificate.subject.rfc4514_string())
    along = [first.cross_signed(new)] if cross else []
    clients, partner = Clients(scene, own, new, *along), caller(scene, first, "partner")
    scene.lay_tools(first)
    assert clients.admitted(partner) == [YES, NO, NO]
    own.trusts("first", "second")
    done(scene, "trust")
    assert only(scene, first, new)
    assert clients.admitted(partner) == [YES, YES, NO]

    wanted = own.signs(new, *along)
    done(scene, "issue")
    assert serials(scene) == wanted
    assert clients.admitted(partner) == [YES, YES, NO]

    scene.lay_tools(new)
    own.trusts("second")
    done(scene, "retire")
    assert only(scene, new)
    assert clients.admitted(partner) == [NO, YES, NO]
    own.ended(new)
    site_yml_ends_it(scene)


def test_what_is_refused_on_the_way(scene, own):
    """To one with another name; its twin are the phases themselves, which go through with what was told."""
    first, new = own.first, Authority.make("CN=Another CA")
    clients, partner = Clients(scene, own, new), caller(scene, first, "partner")
    scene.lay_tools(first)
    path = scene.project / NEW
    run = refused(scene, "trust")
    assert run.held_back("trust") == set()
    assert "No trust.sources has CN=Another CA. Add it" in run.said
    assert f"trust: {{sources: [.., {{src: {path}}}]}}" in run.said
    own.trusts("second")
    run = refused(scene, "trust")
    gone = first.certificate.subject.rfc4514_string()
    assert f"trust.sources has {gone} no more, which is dropped in phase retire only" in run.said
    own.trusts("first", "second", lists=["first"])
    run = refused(scene, "trust")
    assert "as the inventory has it, it would refuse what CN=Another CA signs" in run.said
    own.trusts("first", "second")
    assert refused(scene, "issue").held_back("issue") == ALL

    done(scene, "trust")
    assert clients.admitted(partner) == [YES, YES, NO]
    run = refused(scene, "issue")
    assert "pki/own/b-client.pem holds no certificate of CN=Another CA" in run.said
    assert refused(scene, "retire").held_back("retire") == ALL

    wanted = own.signs(new)
    done(scene, "issue")
    assert serials(scene) == wanted
    scene.lay_tools(new)
    before = everything(scene)
    run = phase(scene, "retire")
    assert (run.code, run.changed) == (0, 0), run.output
    assert everything(scene) == before
    assert f"WARNING: {gone} (SHA-256 " in run.said
    assert clients.admitted(partner) == [YES, YES, NO]

    own.trusts("second")
    run = done(scene, "retire")
    assert "and stays trusted" not in run.said
    assert clients.admitted(partner) == [NO, YES, NO]
    assert only(scene, new)
    own.ended(new)
