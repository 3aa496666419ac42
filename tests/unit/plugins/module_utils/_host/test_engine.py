# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order of the steps on a made-up host, and a crash at every one of them.

The host here serves, after each reload, the release that the link named at that moment, as nginx does. Real
nginx is asked by Molecule.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import release
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.answers import Answer, Row, judge
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.default_server import UserServer
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.errors import MtlsError
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.intent import Intent
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.listen import parse_listen
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.nginx_conf import Dump
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.probes import DEFAULT, Probe
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.transaction import State
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host import engine
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.call import Options, Outcome, Ports
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.engine import Transaction
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.nginx import Verdict
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.preview import Preview
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.store import Store
from ansible_collections.mutual_tls.nginx.plugins.module_utils._host.trial import not_run
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.made_up_host import (
    LISTENER,
    QuietHost,
    parts,
    ports_of,
)


class Crash(BaseException):
    """The process is gone: nothing catches it."""


class World(QuietHost):
    """A host: its files are real, below *root*; nginx is a variable."""

    def __init__(self, root: Path) -> None:
        self.store = Store(str(root / "mtls"))
        self.serves = ""
        self.running = True
        self.enabled = True
        self.included = False
        self.refuses: Callable[[str], list[str]] = lambda release_id: []
        self.refuses_live: Callable[[str], list[str]] = lambda release_id: []
        self.will_not_load: Callable[[str], bool] = lambda release_id: False
        self.answers: Callable[[Probe, str], Answer] | None = None
        self.reloads = 0
        self.few_files = False
        self.crash_at = 0
        self.steps = 0

    def step(self) -> None:
        self.steps += 1
        if self.steps == self.crash_at:
            raise Crash

    # what engine.py asks of a Host

    @property
    def processes(self) -> World:
        return self

    def master(self) -> Any:
        return SimpleNamespace(pid=1) if self.running else None

    def refuse_few_files(self, _master: Any) -> None:
        if self.few_files:
            raise MtlsError("The master may have too few files open.", "nginx", code="nginx.open_files")

    def workers(self, _master: int) -> tuple[frozenset[int], frozenset[int]]:
        return frozenset({2}), frozenset()

    def reload(self, _master: int, _timeout: float, _test: float, _gave_up: object) -> bool:
        self.step()
        self.reloads += 1
        wanted = self.store.current() or ""
        if self.will_not_load(wanted):
            return False
        self.serves = wanted
        self.step()
        return True

    def error_log(self) -> Any:
        return SimpleNamespace(urgent=lambda: ["[emerg] no"], gave_up=lambda: False)

    def write_include(self) -> bool:
        created, self.included = not self.included, True
        return created

    def remove_include(self) -> None:
        self.included = False

    def configuration_without_us(self, _empty: str) -> Dump:
        return Dump()

    def shutdown_timeout(self, _dump: Dump, _wanted: str) -> None:
        return None

    def remove_shutdown_timeout(self) -> None:
        return None

    def test_live(self) -> Verdict:
        self.step()
        lines = self.refuses_live(self.store.current() or "")
        return Verdict(not lines, lines, 0.0)

    def test_with(self, directory: str) -> Verdict:
        lines = self.refuses(os.path.basename(directory))
        return Verdict(not lines, lines, 0.0, None if lines else Dump())

    # what it asks of a Service and a Prover

    def start(self) -> bool:
        self.running = True
        self.serves = self.store.current() or ""
        return True

    def rows(
        self, probes: Sequence[Probe], _directory: str, _sessions: Mapping[Any, Any] | None = None
    ) -> list[Row]:
        answer = self.answers or (lambda probe, serves: Answer("done", 200, serves))
        return [judge(probe, [answer(probe, self.serves)]) for probe in probes]

    def sessions(self, _probes: Sequence[Probe], _directory: str) -> dict[Any, Any]:
        return {}


def ports(world: World) -> Ports:
    real = world.store

    class Stepped(Store):
        """Every change of the store is a place to die, before and after."""

        def switch(self, identity: str) -> None:
            world.step()
            super().switch(identity)
            world.step()

        def write_state(self, state: Any) -> None:
            world.step()
            super().write_state(state)
            world.step()

        def stage(self, *arguments: Any) -> bool:
            world.step()
            staged = super().stage(*arguments)
            world.step()
            return staged

        def remove(self, identity: str) -> None:
            world.step()
            super().remove(identity)

    return ports_of(Stepped(real.base), world, lambda: world.enabled)


def apply(world: World, wanted: Mapping[str, Any], **more: str) -> Outcome:
    return Transaction(ports(world), Options(lock_timeout_s=1)).apply(Intent(parts=wanted, **more))


def failing(world: World, wanted: Mapping[str, Any]) -> tuple[MtlsError, Outcome]:
    call = Transaction(ports(world), Options(lock_timeout_s=1))
    with pytest.raises(MtlsError) as found:
        call.apply(Intent(parts=wanted))
    return found.value, call.outcome


def step(world: World) -> str:
    found = world.store.state()
    return found.step if found else ""


def tree(world: World) -> dict[str, bytes]:
    found = {
        str(path.relative_to(world.store.base)): path.read_bytes()
        for path in Path(world.store.base).rglob("*")
        if path.is_file() and path.name not in ("state.json", ".lock") and "current" not in path.parts
    }
    return {**found, "current": os.readlink(world.store.link).encode()}


@pytest.fixture(name="world")
def _world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_first_install_begins_at_the_empty_release(world: World) -> None:
    outcome = apply(world, parts())
    assert (outcome.changed, outcome.state, outcome.previous) == (True, "stable", "empty")
    assert outcome.release == world.store.current() == world.serves
    assert world.included
    assert {row["verdict"] for row in outcome.proof} == {"ok"}
    assert "empty" in world.store.names()


def prepare(world: World, wanted: Mapping[str, Any]) -> Outcome:
    return apply(world, wanted, until="checked")


def test_what_is_prepared_is_switched_to_by_a_later_call_without_staging_again(world: World) -> None:
    first = apply(world, parts())
    ready = prepare(world, parts("deny all;"))
    assert (ready.changed, ready.state, ready.release) == (True, "checked", first.release)
    assert world.serves == world.store.current() == first.release
    assert not prepare(world, parts("deny all;")).changed
    inode = os.stat(world.store.directory(ready.prepared)).st_ino
    done = apply(world, {}, to="prepared")
    assert (done.changed, done.state, done.release) == (True, "stable", ready.prepared)
    assert world.serves == ready.prepared
    assert os.stat(world.store.directory(ready.prepared)).st_ino == inode
    again = apply(world, {}, to="prepared")
    assert (again.changed, again.state) == (False, "stable")


def test_without_anything_prepared_a_switch_to_it_is_refused(world: World) -> None:
    first = apply(world, parts())
    with pytest.raises(MtlsError, match="No release is prepared"):
        apply(world, {}, to="prepared")
    assert world.serves == first.release
    assert not prepare(world, parts()).prepared, "what is live needs no preparation"


def test_what_a_prepared_release_only_carried_over_is_taken_from_the_live_one(world: World) -> None:
    def both(one: str, two: str) -> dict[str, Any]:
        texts = {"1": LISTENER % one, "2": (LISTENER % two).replace("8080", "8081")}
        return {
            "proxy": {"routes": [], "listeners": [{"name": n, "content": text} for n, text in texts.items()]}
        }

    apply(world, both("", ""))
    ready = prepare(world, both("deny all;", ""))
    apply(world, both("", "allow all;"))
    done = apply(world, {}, to="prepared")
    source = release.texts(release.unrender(world.store.read(done.release)), "listeners")
    assert ("deny" in source["1"], "allow" in source["2"]) == (True, True)
    assert done.release != ready.prepared
    assert not apply(world, {}, to="prepared").changed


def test_cleaning_spares_what_is_prepared(world: World) -> None:
    apply(world, parts())
    ready = prepare(world, parts("deny all;"))
    for number in range(5):
        apply(world, parts(f"allow 10.0.0.{number};"))
    assert ready.prepared in world.store.names()
    assert apply(world, {}, to="prepared").state == "stable"


def test_a_release_that_is_prepared_no_more_is_told_and_cleaned_like_any_other(world: World) -> None:
    """Each holds keys. Its twin: the live one, the way back and what is prepared stay with every `keep`."""
    origin = apply(world, parts()).release
    live = apply(world, parts("allow all;")).release
    kept = Options(keep=1, lock_timeout_s=1)
    for number in range(3):
        call = Transaction(ports(world), kept)
        ready = call.apply(Intent(parts=parts(f"allow 10.0.0.{number};"), until="checked"))
    assert set(world.store.names()) == {"empty", origin, live, ready.prepared}
    assert "was prepared before" in " ".join(ready.log)
    again = Transaction(ports(world), kept).apply(Intent(parts=parts("allow 10.0.0.2;"), until="checked"))
    assert (again.changed, "was prepared before" in " ".join(again.log)) == (False, False)


def test_other_credentials_make_a_prepared_release_stale(world: World) -> None:
    apply(world, parts())
    ready = prepare(world, parts("deny all;"))
    source = {"proxy/credentials/client/privkey.pem": b"x"}
    call = Transaction(ports(world), Options())
    call._prepared = ready.prepared, ("proxy/listeners/1.conf",)
    wanted: Any = SimpleNamespace(identity="0" * 16, source=source)
    call._settle_prepared(Intent(), source, wanted)
    assert call._prepared[0] == ready.prepared, "nothing else was changed"
    call._settle_prepared(Intent(), {}, wanted)
    assert call._prepared == ("", ())
    assert ready.prepared in call.outcome.log[0]


def test_what_fails_its_check_is_not_prepared(world: World) -> None:
    first = apply(world, parts())
    before = tree(world)
    world.refuses = lambda identity: [] if identity in ("empty", first.release) else ["[emerg] bad"]
    with pytest.raises(MtlsError):
        prepare(world, parts("deny all;"))
    assert tree(world) == before
    with pytest.raises(MtlsError, match="No release is prepared"):
        apply(world, {}, to="prepared")


def test_a_switch_to_what_is_prepared_that_fails_can_be_tried_again(world: World) -> None:
    first = apply(world, parts())
    ready = prepare(world, parts("deny all;"))
    world.answers = lambda probe, serves: Answer("done", 200, serves if serves == first.release else "OTHER")
    with pytest.raises(MtlsError, match="is not proven"):
        apply(world, {}, to="prepared")
    assert world.serves == first.release
    world.answers = None
    assert apply(world, {}, to="prepared").release == ready.prepared


def test_preparing_finishes_first_what_a_killed_run_left(world: World) -> None:
    first = apply(world, parts())
    world.store.write_state(State("switched", "empty", first.release))
    world.serves = "empty"
    ready = prepare(world, parts("deny all;"))
    assert (world.serves, ready.state) == (first.release, "checked")
    state = world.store.state()
    assert state is not None
    assert (state.step, state.home, state.prepared) == ("stable", first.release, ready.prepared)


def test_bad_input_leaves_nothing_on_a_fresh_host(world: World, tmp_path: Path) -> None:
    failing(world, {"proxy": {"credentials": [{"name": "client"}]}})
    assert list(tmp_path.iterdir()) == []
    assert not world.included


@pytest.mark.parametrize(
    ("code", "severity", "blocks"),
    [
        ("pair.key_mismatch", "error", True),
        ("purpose.client_auth_missing", "warning", True),
        ("expiry.soon", "warning", False),
    ],
)
def test_which_findings_of_a_changed_credential_block(
    world: World, code: str, severity: str, blocks: bool
) -> None:
    finding = {"code": code, "severity": severity, "message": "m", "remedy": "r", "place": ""}
    call = Transaction(ports(world), Options())
    call.outcome.credentials = [{"part": "proxy", "name": "client", "findings": [finding]}]
    for changed in (True, False):
        credential = SimpleNamespace(part="proxy", name="client", changed=changed)
        wanted: Any = SimpleNamespace(desired=SimpleNamespace(credentials=[credential]))
        if blocks and changed:
            with pytest.raises(MtlsError) as found:
                call.refuse_errors(wanted)
            assert found.value.code == code
        else:
            call.refuse_errors(wanted)


def test_a_second_run_changes_and_reloads_nothing(world: World) -> None:
    apply(world, parts())
    before, reloads = tree(world), world.reloads
    outcome = apply(world, parts())
    assert (outcome.changed, outcome.state) == (False, "stable")
    assert (tree(world), world.reloads) == (before, reloads)


def test_without_parts_nothing_is_taken_away(world: World) -> None:
    first = apply(world, parts())
    assert apply(world, {}).release == first.release


def test_drift_is_mended_by_a_reload(world: World) -> None:
    first = apply(world, parts())
    world.serves = "something else"
    outcome = apply(world, parts())
    assert (outcome.changed, outcome.release, world.serves) == (True, first.release, first.release)
    assert any("release served" in line for line in outcome.log)


def test_an_edited_file_is_mended(world: World) -> None:
    first = apply(world, parts())
    path = Path(world.store.directory(first.release), "proxy/listeners/1.conf")
    path.write_text("edited")
    outcome = apply(world, parts())
    assert outcome.changed
    assert first.release in path.read_text()


def test_what_nginx_refuses_is_not_switched_to(world: World) -> None:
    first = apply(world, parts())
    before = tree(world)
    world.refuses = lambda identity: [] if identity in ("empty", first.release) else ["[emerg] bad"]
    error, outcome = failing(world, parts("deny all;"))
    assert "[emerg] bad" in error.message
    assert (outcome.changed, outcome.release, outcome.log) == (False, first.release, ["[emerg] bad"])
    assert tree(world) == before


def test_what_nginx_refuses_only_when_it_is_live_is_taken_back_without_a_reload(world: World) -> None:
    origin = apply(world, parts()).release
    served: list[str] = []
    reload = world.reload

    def spied(*arguments: Any) -> bool:
        served.append(world.store.current() or "")
        return reload(*arguments)

    world.reload = spied
    world.refuses_live = lambda identity: [] if identity == origin else ["[emerg] live"]
    error, outcome = failing(world, parts("deny all;"))
    assert "[emerg] live" in error.message
    assert (outcome.state, world.store.current()) == ("rolled_back", origin)
    assert served == [origin], "nginx must never have been told to load the other one"


def test_the_state_is_written_before_each_rename_of_the_link(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    write_state, switch = Store.write_state, Store.switch

    def written(store: Store, state: State) -> None:
        events.append(state.step)
        write_state(store, state)

    def switched(store: Store, identity: str) -> None:
        events.append("link")
        switch(store, identity)

    first = apply(world, parts()).release
    monkeypatch.setattr(Store, "write_state", written)
    monkeypatch.setattr(Store, "switch", switched)
    apply(world, parts("deny all;"))
    assert events == ["switched", "link", "reloaded", "proven", "stable"]
    events.clear()
    second = world.store.current()
    world.answers = lambda probe, serves: Answer("done", 200, serves if serves == second else "OTHER")
    failing(world, parts())
    assert first != second
    assert events == ["switched", "link", "reloaded", "rolling_back", "link", "rolled_back"]


def test_a_test_that_did_not_read_the_release_is_none(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    first = apply(world, parts())

    def judge_dump(_dump: Dump, expected: Sequence[str]) -> list[Any]:
        if any(path.endswith("proxy/listeners/1.conf") for path in expected):
            raise MtlsError("nginx does not read it.", code="include.missing")
        return []

    monkeypatch.setattr(world, "judge_dump", judge_dump)
    error, outcome = failing(world, parts("deny all;"))
    assert error.code == "include.missing"
    assert (outcome.changed, world.store.current()) == (False, first.release)


@pytest.mark.parametrize("installed", [True, False])
def test_an_error_in_a_credential_stops_a_run_before_anything_is_staged(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, installed: bool
) -> None:
    if installed:
        apply(world, parts())
    before = sorted(tmp_path.rglob("*"))

    def refuse(_call: Transaction, _wanted: object) -> None:
        raise MtlsError("no pair", code="pair.key_mismatch")

    monkeypatch.setattr(Transaction, "refuse_errors", refuse)
    error, _outcome = failing(world, parts("deny all;"))
    assert error.code == "pair.key_mismatch"
    assert sorted(tmp_path.rglob("*")) == before


ROUTE = """server { listen 127.0.0.1:8080; location = /.mtls/probe/r {
    include @MTLS_RELEASE@/proxy/credentials/client/tls.conf;
    proxy_ssl_name a.test; proxy_pass https://up/p; } }"""


class NoTrial:
    """Without one the servers of changed credentials are asked all the same."""

    def rows(self, *_asked: Any) -> list[Row]:
        raise not_run("/usr/sbin/nginx", "no")


@pytest.mark.parametrize(
    ("touched", "refused"), [("privkey", True), ("trust", True), ("crl", False), ("", False)]
)
def test_a_changed_credential_whose_server_is_dead_is_not_switched_to(
    world: World, touched: str, refused: bool
) -> None:
    """But for lists: what is revoked must not wait for a server that is down."""
    source = {
        "proxy/listeners/1.conf": ROUTE.encode(),
        "proxy/routes/r.conf": b"upstream up { server a1:443; }",
        "proxy/credentials/client/tls.conf": b"x",
        "proxy/credentials/client/fullchain.pem": b"x",
    }
    world.answers = lambda probe, serves: Answer("connect", error="refused")
    call = Transaction(dataclasses.replace(ports(world), trial=NoTrial()), Options())
    wanted: Any = SimpleNamespace(identity="0" * 16, source=source)
    before = dict(source, **({f"proxy/credentials/client/{touched}.pem": b"old"} if touched else {}))
    if refused:
        with pytest.raises(MtlsError, match="Nothing was switched"):
            call._check(before, wanted, Dump())
        assert call.outcome.state == "checked"
    else:
        call._check(before, wanted, Dump())


@pytest.mark.parametrize("first_install", [True, False])
def test_a_release_that_is_not_proven_is_taken_back(world: World, first_install: bool) -> None:
    origin = "empty" if first_install else apply(world, parts()).release
    if not first_install:
        before = tree(world)
    world.answers = lambda probe, serves: Answer("done", 200, serves if serves == origin else "OTHER")
    error, outcome = failing(world, parts("deny all;"))
    assert "is not proven" in error.message
    assert origin in error.remedy
    assert (outcome.state, outcome.release, outcome.changed) == ("rolled_back", origin, False)
    assert world.serves == world.store.current() == origin
    state = world.store.state()
    assert state is not None
    assert (state.step, state.home) == ("rolled_back", origin)
    if not first_install:
        assert tree(world) == before
        assert {row["verdict"] for row in outcome.restored} == {"ok"}


def told_to_end(number: int) -> Callable[[Probe, str], Answer]:
    """Answers of a proof in the midst of which the run is told to end."""

    def answer(_probe: Probe, serves: str) -> Answer:
        os.kill(os.getpid(), number)
        return Answer("done", 200, serves)

    return answer


def a_bug(error: Exception) -> Callable[[Probe, str], Answer]:
    def answer(_probe: Probe, _serves: str) -> Answer:
        raise error

    return answer


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (a_bug(ValueError("SECRET")), "ValueError in test_engine.py"),
        (a_bug(UnicodeDecodeError("utf-8", b"SECRET", 0, 1, "x")), "UnicodeDecodeError in test_engine.py"),
        (a_bug(RecursionError()), "RecursionError"),
        (a_bug(OSError(5, "Input/output error")), "Input/output error"),
        (told_to_end(signal.SIGTERM), "SIGTERM"),
        (told_to_end(signal.SIGINT), "SIGINT"),
    ],
)
def test_whatever_happens_after_the_switch_is_taken_back(
    world: World, answers: Callable[[Probe, str], Answer], words: str
) -> None:
    origin = apply(world, parts()).release
    before = tree(world)
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]

    def answer(probe: Probe, serves: str) -> Answer:
        return Answer("done", 200, serves) if serves == origin else answers(probe, serves)

    world.answers = answer
    error, outcome = failing(world, parts("deny all;"))
    assert words in error.message
    assert "SECRET" not in str(error)
    assert (outcome.state, outcome.release, world.serves) == ("rolled_back", origin, origin)
    assert tree(world) == before
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)] == handlers


def test_a_second_signal_does_not_stop_the_way_back(world: World) -> None:
    origin = apply(world, parts()).release
    begun, tell = world.reloads, told_to_end(signal.SIGTERM)
    world.answers = lambda probe, serves: (
        tell(probe, serves) if world.reloads > begun else Answer("done", 200, serves)
    )
    error, outcome = failing(world, parts("deny all;"))
    assert "SIGTERM" in error.message
    assert (outcome.state, world.serves) == ("rolled_back", origin)
    assert {row["verdict"] for row in outcome.restored} == {"ok"}


def site(port: int) -> dict[str, Any]:
    text = (
        f"server {{ listen {port} ssl; server_name a.test; ssl_verify_client on;"
        ' location = /p { return 200 "@MTLS_ID@ $ssl_client_verify"; } }'
    )
    return {"server": {"credentials": [], "sites": [{"name": "a", "content": text}]}}


@pytest.mark.parametrize("theirs", [True, False])
def test_the_way_back_is_proven_by_the_default_servers_of_the_old_release(
    world: World, monkeypatch: pytest.MonkeyPatch, theirs: bool
) -> None:
    """A user's default may answer what it likes, as it did before; one of the release must refuse."""
    listen = parse_listen(("443", "ssl", "default_server"))
    users = [UserServer("nginx.conf:1", ((listen, "nginx.conf:1"),), True)] if theirs else []
    monkeypatch.setattr(world, "users", lambda dump: users)
    alert = Answer("handshake", error="unrecognized name", alert=112)
    origin = ""

    def answer(probe: Probe, serves: str) -> Answer:
        if probe.subject == DEFAULT:
            refuses = serves != origin and not (theirs and probe.port == 443)
            return alert if refuses and probe.want_alert else Answer("done", 421, "their page")
        words = serves if probe.port == 443 else "OTHER"
        return Answer("done", 400 if probe.refused else 200, f"{words} SUCCESS")

    world.answers = answer
    origin = apply(world, site(443)).release
    error, outcome = failing(world, site(8443))
    assert "is not proven" in error.message
    assert (world.serves, bool(outcome.restored)) == (origin, True)
    assert outcome.state == ("rolled_back" if theirs else "")


def test_a_setting_that_cannot_be_undone_does_not_stop_the_way_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = apply(world, parts()).release

    def undo() -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(world, "shutdown_timeout", lambda _dump, _wanted: lambda: undo)
    world.answers = lambda probe, serves: Answer("done", 200, serves if serves == origin else "OTHER")
    error, outcome = failing(world, parts("deny all;"))
    assert "is not proven" in error.message
    assert (outcome.state, world.serves) == ("rolled_back", origin)


def test_too_few_files_for_a_reload_are_told_before_the_switch(world: World) -> None:
    """Its twin: workers that drain after the reload take files too, and take nothing back."""
    first = apply(world, parts()).release
    world.few_files = True
    error, outcome = failing(world, parts("deny all;"))
    assert (error.code, outcome.changed, world.store.current()) == ("nginx.open_files", False, first)

    world.few_files = False

    def answer(_probe: Probe, serves: str) -> Answer:
        world.few_files = serves != first
        return Answer("done", 200, serves)

    world.answers = answer
    outcome = apply(world, parts("deny all;"))
    assert (outcome.state, world.store.current()) == ("stable", outcome.release)
    assert outcome.release != first


def test_another_master_after_the_proof_takes_nothing_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = apply(world, parts()).release

    def master() -> Any:
        if world.serves != first:
            raise MtlsError("Two masters.", "nginx.pid")
        return SimpleNamespace(pid=1)

    monkeypatch.setattr(world, "master", master)
    outcome = apply(world, parts("deny all;"))
    assert (outcome.state, outcome.release != first) == ("stable", True)


def test_a_way_back_that_fails_tells_both_stories(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    origin = apply(world, parts()).release
    world.answers = lambda probe, serves: Answer("done", 200, "OTHER")

    def master() -> Any:
        if world.store.current() == origin and world.reloads > 1:
            raise MtlsError("Workers of a dead nginx master still serve.", "nginx.pid")
        return SimpleNamespace(pid=1)

    monkeypatch.setattr(world, "master", master)
    error, outcome = failing(world, parts("deny all;"))
    assert "is not proven" in error.message
    assert "Workers of a dead nginx master" in error.remedy
    assert world.store.current() == origin
    state = world.store.state()
    assert state is not None
    # The next run finishes what this one could not.
    assert state.step == "rolling_back"
    assert outcome.state == ""


def test_a_reload_that_nginx_refuses_is_taken_back(world: World) -> None:
    first = apply(world, parts())
    world.will_not_load = lambda identity: identity != first.release
    error, outcome = failing(world, parts("deny all;"))
    assert "[emerg] no" in str(error)
    assert (outcome.state, world.store.current()) == ("rolled_back", first.release)


def test_the_next_run_after_a_rollback_goes_on(world: World) -> None:
    apply(world, parts())
    world.answers = lambda probe, serves: Answer("done", 200, "OTHER")
    failing(world, parts("deny all;"))
    world.answers = None
    assert apply(world, parts("deny all;")).state == "stable"


def test_a_stopped_nginx_is_started_only_if_its_service_is_enabled(world: World) -> None:
    world.running = world.enabled = False
    error, _outcome = failing(world, parts())
    assert "systemctl enable" in error.remedy
    world.enabled = True
    assert apply(world, parts()).changed
    assert world.running


def test_old_releases_go_but_not_the_one_before(world: World) -> None:
    ids = [apply(world, parts(f"set $x {number};")).release for number in range(6)]
    assert set(world.store.names()) == {"empty", *ids[-3:]}


def test_the_release_before_stays_even_where_none_is_to_be_kept(world: World) -> None:
    ids = []
    for number in range(3):
        call = Transaction(ports(world), Options(keep=1))
        ids.append(call.apply(Intent(parts=parts(f"set $x {number};"))).release)
    assert set(world.store.names()) == {"empty", ids[1], ids[2]}
    assert apply(world, {}, state="rolled_back").release == ids[1]


def test_a_link_moved_by_hand_is_found_and_proven(world: World) -> None:
    first = apply(world, parts())
    second = apply(world, parts("deny all;"))
    world.store.switch(first.release)
    outcome = apply(world, parts())
    assert any("moved by hand" in line for line in outcome.log)
    assert (outcome.release, outcome.previous, world.serves) == (first.release, second.release, first.release)


def test_going_back_and_forth(world: World) -> None:
    first = apply(world, parts())
    second = apply(world, parts("deny all;"))
    back = apply(world, {}, state="rolled_back")
    assert (back.changed, back.state, back.release, world.serves) == (
        True,
        "stable",
        first.release,
        first.release,
    )
    # Once more brings nothing back that was just taken off, unless it is named.
    again = apply(world, {}, state="rolled_back")
    assert (again.changed, again.state, again.release) == (False, "stable", first.release)
    assert apply(world, {}, state="rolled_back", to=second.release).release == second.release
    third = apply(world, parts("deny 10.0.0.1;"))
    assert apply(world, {}, state="rolled_back").release == second.release
    assert apply(world, parts("deny 10.0.0.1;")).release == third.release
    assert apply(world, {}, state="rolled_back").release == second.release


@pytest.mark.parametrize("step", ["switched", "reloaded", "proven", "rolling_back", "rolled_back"])
@pytest.mark.parametrize("other", [False, True], ids=["the same again", "somebody else's call first"])
def test_a_way_back_that_was_killed_goes_on_and_not_forward(world: World, step: str, other: bool) -> None:
    first = apply(world, parts()).release
    second = apply(world, parts("deny all;")).release
    live = second if step.startswith("roll") else first
    world.store.switch(live)
    world.serves = live
    world.store.write_state(State(step, second, first, back=True))
    if other:
        apply(world, {})
    for _again in range(2):
        assert apply(world, {}, state="rolled_back").release == first


def test_there_is_no_way_back_to_nothing(world: World) -> None:
    """The release `empty` would take the host off; state: absent says so."""
    apply(world, parts())
    with pytest.raises(MtlsError, match="No release is known"):
        apply(world, {}, state="rolled_back")
    assert apply(world, {}, state="rolled_back", to="empty").release == "empty"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"state": "rolled_back", "to": "0" * 16}, "no whole release"),
        ({"state": "rolled_back", "parts": {"server": {}}}, "not a part"),
        ({"to": "0" * 16}, "release to go back to"),
    ],
)
def test_a_way_back_that_does_not_exist(world: World, given: dict[str, Any], words: str) -> None:
    apply(world, parts())
    with pytest.raises(MtlsError, match=words):
        Transaction(ports(world), Options()).apply(Intent(**given))


def test_a_way_back_to_older_trust_is_refused(world: World) -> None:
    apply(world, parts())
    folder, ids = "proxy/credentials/client", []
    for ca in ("b2xk", "bmV3"):
        pem = f"-----BEGIN CERTIFICATE-----\n{ca}\n-----END CERTIFICATE-----\n".encode()
        source = release.with_entry({f"{folder}/trust.pem": pem, f"{folder}/fullchain.pem": pem})
        ids.append(release.release_id(source))
        world.store.stage(ids[-1], source, {})
    world.store.switch(ids[1])
    world.serves = ids[1]
    world.store.write_state(State("stable", ids[0], ids[1]))
    with pytest.raises(MtlsError) as found:
        apply(world, {}, state="rolled_back")
    assert found.value.code == "rollback.trust_older"
    assert world.store.current() == ids[1]


def test_after_a_failure_no_release_from_before_is_known(world: World) -> None:
    origin = apply(world, parts()).release
    world.answers = lambda probe, serves: Answer("done", 200, serves if serves == origin else "OTHER")
    failing(world, parts("deny all;"))
    with pytest.raises(MtlsError, match="No release is known"):
        apply(world, {}, state="rolled_back")


@pytest.mark.parametrize("state", ["stable", "proven"])
def test_a_run_killed_after_its_proof_forgets_no_way_back(world: World, state: str) -> None:
    first = apply(world, parts()).release
    second = apply(world, parts("deny all;")).release
    world.store.write_state(State(state, first, second))
    assert apply(world, parts("deny all;")).previous == first
    assert apply(world, {}, state="rolled_back").release == first


def test_what_an_unproven_release_fails_is_not_taken_for_what_failed_before(world: World) -> None:
    """A run was killed after its switch: what its release does wrong is that release's doing."""
    origin = apply(world, parts()).release
    wanted = apply(world, parts("deny all;")).release
    world.store.write_state(State("reloaded", origin, wanted))
    asked: list[str] = []

    def answer(_probe: Probe, serves: str) -> Answer:
        asked.append(serves)
        return Answer("done", 200, serves)

    world.answers = answer
    apply(world, parts("deny all;"))
    # The proof asks each probe once here; a baseline of the unproven release would ask it again.
    assert asked == [wanted]


def test_one_part_goes(world: World) -> None:
    apply(world, parts())
    outcome = apply(world, {"proxy": {}}, state="absent")
    assert (outcome.changed, outcome.state, world.serves) == (True, "absent", "empty")
    assert world.store.exists()
    assert not apply(world, {"proxy": {}}, state="absent").changed


def switched_by_a_killed_run(world: World) -> tuple[str, str]:
    """The release before, and the one that a run switched to before it was killed."""
    first = apply(world, parts()).release
    second = apply(world, parts("deny all;")).release
    world.store.write_state(State("switched", first, second))
    return first, second


@pytest.mark.parametrize("proven", [True, False])
@pytest.mark.parametrize(
    "wanted", [Intent(to="prepared"), Intent(parts={"proxy": {"credentials": [{"name": "client"}]}})]
)
def test_what_a_killed_run_left_is_ended_also_by_a_call_that_is_refused(
    world: World, proven: bool, wanted: Intent
) -> None:
    first, second = switched_by_a_killed_run(world)
    if not proven:
        world.answers = lambda probe, serves: Answer("done", 200, serves if serves == first else "OTHER")
    with pytest.raises(MtlsError, match=r"No release is prepared|No certificate") as found:
        Transaction(ports(world), Options()).apply(wanted)
    assert ("is not proven" in str(found.value)) is not proven, "both stories are told"
    state = world.store.state()
    assert state is not None
    assert (state.step, state.home) == (("stable", second) if proven else ("rolled_back", first))
    assert world.serves == world.store.current() == state.home


def test_the_findings_of_a_refused_call_stay_its_own(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ending what a killed run left examines the live release: that is not what the user gave."""
    switched_by_a_killed_run(world)
    told = [{"part": "proxy", "name": "client", "findings": []}]
    refused = MtlsError("m", "client", "r", "pair.key_mismatch")

    def examine(desired: Any, _live: Any) -> list[dict[str, Any]]:
        return told if b"allow all;" in b"".join(desired.source.values()) else []

    def refuse_errors(_wanted: Any) -> None:
        if call.outcome.credentials:
            raise refused

    call = Transaction(dataclasses.replace(ports(world), examine=examine), Options())
    monkeypatch.setattr(call, "refuse_errors", refuse_errors)
    with pytest.raises(MtlsError) as found:
        call.apply(Intent(parts=parts("allow all;")))
    assert found.value is refused
    assert call.outcome.credentials == told
    assert any("allow all;" in entry["after"] for entry in call.outcome.diff)
    assert step(world) == "stable"


def test_a_refused_call_touches_nothing_where_nothing_was_left(world: World) -> None:
    apply(world, parts())
    before, reloads = tree(world), world.reloads
    with pytest.raises(MtlsError, match="No release is prepared"):
        apply(world, {}, to="prepared")
    assert (tree(world), world.reloads) == (before, reloads)


@pytest.mark.parametrize("wanted", [parts("deny all;"), parts("allow all;")])
def test_where_what_a_killed_run_left_fails_its_test_the_way_is_back(
    world: World, wanted: dict[str, Any]
) -> None:
    first, _second = switched_by_a_killed_run(world)
    world.refuses = lambda identity: [] if identity in ("empty", first) else ["[emerg] bad"]
    error, outcome = failing(world, wanted)
    assert "[emerg] bad" in error.message
    assert (outcome.state, world.store.current(), world.serves) == ("rolled_back", first, first)


def test_a_run_killed_before_its_switch_is_told_as_undone(world: World) -> None:
    first = apply(world, parts()).release
    world.store.write_state(State("switched", first, "0" * 16))
    reloads = world.reloads
    assert not apply(world, parts()).changed
    state = world.store.state()
    assert state is not None
    assert (state.step, state.home, world.reloads) == ("rolled_back", first, reloads)


def test_where_no_listener_tells_what_nginx_loaded_a_run_that_was_cut_short_is_followed_by_a_reload(
    world: World,
) -> None:
    apply(world, parts())
    apply(world, {"proxy": {}}, state="absent")
    reloads = world.reloads
    apply(world, {})
    assert world.reloads == reloads
    # Its way back: the link is there again, but no state could be written and no reload was made.
    world.store.write_state(State("switched", "empty", "0" * 16))
    world.serves = "0" * 16
    assert apply(world, {}).changed
    assert world.serves == "empty"


def test_preparing_does_not_tell_a_run_that_was_cut_short_as_undone(world: World) -> None:
    apply(world, {})
    world.store.write_state(State("reloaded", "empty", "0" * 16))
    world.serves = "0" * 16
    prepare(world, parts())
    assert world.serves == "empty"
    state = world.store.state()
    assert state is not None
    assert (state.step, state.home) == ("rolled_back", "empty")


def test_releases_without_a_link_and_a_state_are_no_host_at_rest(world: World) -> None:
    first = apply(world, parts()).release
    os.unlink(world.store.link)
    os.unlink(f"{world.store.base}/state.json")
    assert world.serves == first
    assert apply(world, {}).changed
    assert (world.serves, world.store.current()) == ("empty", "empty")
    assert not apply(world, {}).changed


def test_what_a_killed_run_left_live_is_mended_before_anything_is_tested(world: World) -> None:
    _first, second = switched_by_a_killed_run(world)
    entry = Path(world.store.directory(second), "mtls.conf")
    entry.unlink()
    world.refuses_live = lambda _identity: [] if entry.exists() else ["[emerg] open() failed"]
    world.shutdown_timeout = lambda _dump, _wanted: lambda: lambda: None
    assert apply(world, parts("allow all;")).state == "stable"


def test_a_rollback_that_was_cut_short_mends_what_it_goes_back_to(world: World) -> None:
    first, second = switched_by_a_killed_run(world)
    world.store.write_state(State("rolling_back", first, second))
    entry = Path(world.store.directory(first), "mtls.conf")
    entry.unlink()
    world.will_not_load = lambda identity: identity == first and not entry.exists()
    assert apply(world, {}).release == first
    assert world.serves == first


def test_a_link_that_somebody_moves_before_the_reload_is_seen_without_a_listener_too(world: World) -> None:
    origin = apply(world, parts()).release
    test_live = world.test_live

    def tested() -> Verdict:
        verdict = test_live()
        world.store.switch(origin)
        return verdict

    world.test_live = tested
    with pytest.raises(MtlsError, match="Somebody else let it name"):
        apply(world, {"proxy": {}}, state="absent")
    assert world.serves == world.store.current() == origin
    state = world.store.state()
    assert state is not None
    assert (state.step, state.home) == ("rolled_back", origin)


def test_a_lost_link_is_put_back_also_by_a_call_that_is_refused(world: World) -> None:
    first = apply(world, parts()).release
    os.unlink(world.store.link)
    with pytest.raises(MtlsError, match="No release is prepared"):
        apply(world, {}, to="prepared")
    assert world.store.current() == first


@pytest.mark.parametrize("moved", [True, False])
def test_a_release_to_which_somebody_moves_the_link_is_not_removed(world: World, moved: bool) -> None:
    origin = apply(world, parts()).release
    world.answers = lambda probe, serves: Answer("done", 200, serves if serves == origin else "OTHER")
    reload = world.reload

    def reloaded(*arguments: Any) -> bool:
        done = reload(*arguments)
        if moved and world.serves == origin:
            world.store.switch(next(name for name in world.store.names() if name not in (origin, "empty")))
        return done

    world.reload = reloaded
    failing(world, parts("deny all;"))
    assert (world.store.current() == origin) is not moved
    state = world.store.state()
    assert state is not None
    assert state.step == ("rolling_back" if moved else "rolled_back")
    assert len(world.store.names()) == (3 if moved else 2)


def test_a_way_back_that_nginx_does_not_load_is_not_told_as_done(world: World) -> None:
    origin = apply(world, parts()).release
    world.answers = lambda probe, serves: Answer("done", 200, serves if serves == origin else "OTHER")
    world.will_not_load = lambda identity: identity == origin
    error, _outcome = failing(world, parts("deny all;"))
    assert "nginx did not reload" in error.remedy
    state = world.store.state()
    assert state is not None
    assert (state.step, world.store.current()) == ("rolling_back", origin)
    assert world.serves != origin
    world.will_not_load = lambda identity: False
    apply(world, {})
    assert world.serves == origin


def test_an_edited_way_back_is_mended_before_anything_is_switched(world: World) -> None:
    origin = apply(world, parts()).release
    entry = Path(world.store.directory(origin), "mtls.conf")
    whole = entry.read_bytes()
    entry.unlink()
    world.answers = lambda probe, serves: Answer("done", 200, serves if serves == origin else "OTHER")
    failing(world, parts("deny all;"))
    assert (world.store.current(), entry.read_bytes()) == (origin, whole)


@pytest.mark.parametrize("live", [True, False])
def test_an_edited_empty_release_is_mended(world: World, live: bool) -> None:
    apply(world, {} if live else parts())
    entry = Path(world.store.directory("empty"), "mtls.conf")
    entry.write_text("edited")
    assert apply(world, {}).changed
    assert "edited" not in entry.read_text()
    assert not apply(world, {}).changed


def test_an_include_file_that_is_gone_is_told_and_loaded(world: World) -> None:
    apply(world, {})
    world.included, reloads = False, world.reloads
    assert apply(world, {}).changed
    assert (world.included, world.reloads) == (True, reloads + 1)
    assert not apply(world, {}).changed


def test_a_release_from_before_that_is_gone_is_not_told(world: World) -> None:
    first = apply(world, parts()).release
    apply(world, parts("deny all;"))
    assert apply(world, parts("deny all;")).previous == first
    world.store.remove(first)
    assert apply(world, parts("deny all;")).previous != first


def test_everything_goes(world: World, tmp_path: Path) -> None:
    apply(world, parts())
    outcome = apply(world, {}, state="absent")
    assert (outcome.changed, outcome.state, outcome.release) == (True, "absent", "")
    assert not world.included
    assert list(tmp_path.iterdir()) == []


def test_check_mode_writes_nothing(world: World, tmp_path: Path) -> None:
    apply(world, parts())
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    world.included = False
    call = Preview(ports(world), Options())
    world.nginx = SimpleNamespace(test=lambda dump: Verdict(True, [], 0.0, Dump()))
    world.include_file = "conf.d/mtls.conf"
    outcome = call.show(Intent(parts=parts("deny all;")))
    assert (outcome.changed, outcome.state) == (True, "checked")
    assert [entry["after_header"] for entry in outcome.diff] == ["proxy/listeners/1.conf"]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    world.included = True
    assert not Preview(ports(world), Options()).show(Intent(parts=parts())).changed


def test_check_mode_says_that_a_stopped_nginx_is_started(world: World) -> None:
    apply(world, parts())
    assert not Preview(ports(world), Options()).show(Intent(parts=parts())).changed
    world.running = False
    outcome = Preview(ports(world), Options()).show(Intent(parts=parts()))
    assert outcome.changed
    assert "nginx does not run: it is started." in outcome.plan


def crashes(root: Path, wanted: Mapping[str, Any], prepare: Callable[[World], None]) -> int:
    """Kill a run at its first, second, … step; after each: nginx restarts, and the same call is made
    again."""
    count = 0
    while True:
        world = World(root / str(count))
        os.mkdir(root / str(count))
        apply(world, parts())
        prepare(world)
        origin = world.store.current()
        world.crash_at, world.steps = count + 1, 0
        try:
            Transaction(ports(world), Options(lock_timeout_s=1)).apply(Intent(parts=wanted))
        except Crash:
            pass
        except MtlsError:
            return count
        else:
            return count
        # Whatever happened, nginx can start from disk, with one whole release.
        link = world.store.current()
        assert link is not None
        assert link in world.store.whole()
        state = world.store.state()
        assert state is not None
        assert state.home in world.store.whole(), "the way back must be there"
        world.crash_at = 0
        world.serves = link
        world.answers = None
        world.will_not_load = lambda identity: False
        outcome = apply(world, wanted)
        assert (outcome.state, world.serves) == ("stable", outcome.release)
        assert world.store.current() == outcome.release != origin
        count += 1


def test_killed_at_every_step_the_next_run_finishes(tmp_path: Path) -> None:
    assert crashes(tmp_path, parts("deny all;"), lambda world: None) >= 10


def test_killed_at_every_step_of_a_rollback_the_next_run_mends_it(tmp_path: Path) -> None:
    def prepare(world: World) -> None:
        origin = world.store.current() or ""
        world.answers = lambda probe, serves: Answer("done", 200, serves if serves == origin else "OTHER")

    assert crashes(tmp_path, parts("deny all;"), prepare) >= 14


def test_killed_during_the_first_install(tmp_path: Path) -> None:
    for count in range(1, 30):
        os.mkdir(tmp_path / str(count))
        world = World(tmp_path / str(count))
        world.crash_at = count
        try:
            apply(world, parts())
        except Crash:
            world.crash_at = 0
            world.serves = world.store.current() or ""
            assert not world.included or world.store.current() is not None, (
                "an include of a missing file is emerg"
            )
            assert apply(world, parts()).state == "stable"
        else:
            assert count > 10
            return
    raise AssertionError("the install never came to an end")


def preview(world: World, wanted: Mapping[str, Any]) -> Outcome:
    return Preview(ports(world), Options()).show(Intent(parts=wanted))


def test_check_mode_tells_what_a_killed_run_left(world: World, tmp_path: Path) -> None:
    first = apply(world, parts()).release
    second = apply(world, parts("deny all;")).release
    assert not preview(world, parts("deny all;")).changed
    world.store.write_state(State("switched", first, second))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    found = preview(world, parts("deny all;"))
    assert (found.changed, found.release) == (True, second)
    assert any("a run stopped at 'switched'" in line for line in found.plan)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_check_mode_tells_an_edited_file(world: World) -> None:
    first = apply(world, parts())
    Path(world.store.directory(first.release), "proxy/listeners/1.conf").write_text("edited")
    found = preview(world, parts())
    assert found.changed
    assert any("listeners/1.conf" in line for line in found.plan)
    assert apply(world, parts()).changed


def test_check_mode_refuses_what_a_run_would(world: World) -> None:
    first = apply(world, parts())
    Path(world.store.directory(first.release), "proxy/listeners/1.conf.in").write_bytes(b"\xff")
    with pytest.raises(MtlsError, match="nothing was deleted"):
        preview(world, parts())
    with pytest.raises(MtlsError, match="nothing was deleted"):
        apply(world, parts())


def test_what_goes_on_failing_is_a_warning(world: World) -> None:
    apply(world, parts())
    text = "location = /.mtls/probe/r { include @MTLS_RELEASE@/x; proxy_pass https://u/p; }"
    world.answers = lambda probe, serves: Answer(
        "done", 200 if probe.kind == "release served" else 502, serves
    )
    failing(world, parts(text))
    world.answers = None
    assert apply(world, parts()).warnings == []
    rows = [
        judge(
            Probe("route", "proxy", "r", "c", "127.0.0.1", 80, "200", want_status=(200,)),
            [Answer("done", 502)],
        )
    ]
    world.rows = lambda *_arguments: list(rows)
    (warning,) = apply(world, parts()).warnings
    assert "route" in warning
    assert "502" in warning


def test_check_mode_of_leaving_altogether(world: World, tmp_path: Path) -> None:
    apply(world, parts())
    call = Preview(dataclasses.replace(ports(world), scratch=str(tmp_path)), Options())
    outcome = call.show(Intent("absent"))
    assert (outcome.changed, outcome.release) == (True, "empty")
    assert world.store.current() not in (None, "empty")


def test_the_empty_release_is_what_it_says() -> None:
    assert release.release_id(release.empty_source()) == release.EMPTY


def test_check_mode_tells_what_would_be_prepared_and_switched_to(world: World, tmp_path: Path) -> None:
    def show(intent: Intent) -> Outcome:
        return Preview(ports(world), Options()).show(intent)

    first = apply(world, parts()).release
    prepared = Intent(parts=parts("deny all;"), until="checked")
    with pytest.raises(MtlsError, match="No release is prepared"):
        show(Intent(to="prepared"))
    found = show(prepared)
    assert (found.changed, found.state, found.release) == (True, "checked", first)
    ready = prepare(world, parts("deny all;"))
    assert found.prepared == ready.prepared
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert not show(prepared).changed
    assert not show(Intent(parts=parts(), until="checked")).changed, "what is live needs no preparation"
    found = show(Intent(to="prepared"))
    assert (found.changed, found.release, found.previous) == (True, ready.prepared, first)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    apply(world, {}, to="prepared")
    assert not show(Intent(to="prepared")).changed


def test_a_rollback_to_a_named_release_repeated_is_no_change(world: World) -> None:
    first = apply(world, parts()).release
    apply(world, parts("deny all;"))
    done = apply(world, {}, state="rolled_back", to=first)
    assert (done.changed, done.release) == (True, first)
    again = apply(world, {}, state="rolled_back", to=first)
    assert (again.changed, again.state, again.release) == (False, "stable", first)


# -- what a call that changes nothing must see


def but(kind: str, answer: Answer) -> Callable[[Probe, str], Answer]:
    """All is well but for one kind of question."""
    return lambda probe, serves: answer if probe.kind == kind else Answer("done", 200, serves)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer("done", 500), "does not serve the live release"),
        (Answer("handshake", error="x", alert=112), "does not serve the live release"),
        (Answer("late", error="there was no time left to ask"), "is not proven"),
    ],
)
def test_an_unchanged_host_that_does_not_answer_as_it_must_is_no_success(
    world: World, answer: Answer, words: str
) -> None:
    apply(world, parts())
    reloads = world.reloads
    world.answers = but("release served", answer)
    for _again in range(2):
        error, outcome = failing(world, parts())
        assert words in error.message
        assert outcome.state == ""
        assert str(answer.status or answer.error) in error.message
    # What nobody had the time to ask is no reason to reload.
    assert (world.reloads > reloads) is (answer.phase != "late")
    world.answers = None
    assert apply(world, parts()).state == "stable"


def test_a_failed_unchanged_call_names_a_row_that_failed(world: World) -> None:
    apply(world, parts())
    world.answers = lambda probe, serves: Answer("done", 200, serves if probe.port == 8080 else "OTHER")
    error, dummy = failing(world, parts("listen 127.0.0.1:8081;"))
    assert "got 200, release OTHER" in error.message


def test_a_release_that_nobody_has_proven_is_at_rest_no_sooner_than_it_serves(world: World) -> None:
    apply(world, parts())
    os.unlink(Path(world.store.base, "state.json"))
    world.answers = but("release served", Answer("done", 500))
    for _again in range(3):
        error, outcome = failing(world, parts())
        assert "serves as before" not in str(error)
        assert outcome.state == ""
        state = world.store.state()
        assert state is None or state.step not in ("stable", "rolled_back")
    world.answers = None
    outcome = apply(world, parts())
    assert (outcome.state, step(world)) == ("stable", "rolled_back")


@pytest.mark.parametrize("more", [{}, {"until": "checked"}])
def test_a_rollback_that_was_cut_short_is_proven_before_it_is_written(
    world: World, more: dict[str, str]
) -> None:
    first = apply(world, parts()).release
    second = apply(world, parts("deny all;")).release
    world.store.write_state(State("rolling_back", first, second))
    world.answers = but("release served", Answer("done", 500))
    with pytest.raises(MtlsError, match="does not serve the live release"):
        apply(world, {}, **more)
    state = world.store.state()
    assert state is not None
    assert state.step == "rolling_back"
    world.answers = None
    apply(world, {}, **more)
    assert (world.store.current(), step(world)) == (first, "rolled_back")


@pytest.mark.parametrize("why", ["test", "reload"])
def test_a_rollback_that_nginx_does_not_take_tells_its_lines(world: World, why: str) -> None:
    first = apply(world, parts()).release
    second = apply(world, parts("deny all;")).release
    world.store.write_state(State("rolling_back", first, second))
    if why == "test":
        world.refuses_live = lambda identity: ["[emerg] of the test"]
    else:
        world.will_not_load = lambda identity: True
    error, outcome = failing(world, {})
    assert (
        "[emerg] of the test" if why == "test" else "did not reload, and may serve another: [emerg] no"
    ) in error.message
    assert outcome.state == ""


def test_a_way_back_that_is_gone_does_not_stop_every_later_run(world: World) -> None:
    first = apply(world, parts()).release
    second = apply(world, parts("deny all;")).release
    world.store.switch(first)
    world.store.remove(second)
    outcome = apply(world, parts())
    assert (outcome.state, outcome.release) == ("stable", first)
    assert any("is not whole any more" in line for line in outcome.log)


def test_what_is_live_is_told_when_its_last_line_cannot_be_written(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(world, parts())

    def full(self: Store, state: State) -> None:
        if state.step == "proven":
            raise OSError(28, "No space left on device")
        real(self, state)

    real = Store.write_state
    monkeypatch.setattr(Store, "write_state", full)
    call = Transaction(ports(world), Options(lock_timeout_s=1))
    with pytest.raises(OSError, match="No space"):
        call.apply(Intent(parts=parts("deny all;")))
    assert (call.outcome.release, call.outcome.changed) == (world.store.current(), True)
    assert call.outcome.state == ""


def test_what_was_refused_is_not_prepared(world: World) -> None:
    apply(world, parts())
    world.refuses = lambda identity: ["[emerg] no"]
    call = Transaction(ports(world), Options(lock_timeout_s=1))
    with pytest.raises(MtlsError, match="does not accept"):
        call.apply(Intent(parts=parts("deny all;"), until="checked"))
    assert call.outcome.prepared == ""


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGPIPE])
def test_a_lost_connection_cuts_nothing_short(world: World, number: int) -> None:
    """Its twin: before the switch the signal comes through."""
    heard: list[int] = []
    before = signal.signal(number, lambda one, frame: heard.append(one))

    def answer(probe: Probe, serves: str) -> Answer:
        os.kill(os.getpid(), number)
        return Answer("done", 200, serves)

    try:
        world.answers = answer
        outcome = apply(world, parts())
        assert (outcome.state, heard) == ("stable", [])
        apply(world, parts())
        assert heard
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize(("before", "told"), [("AAAA", "not in force"), ("BBBB", "")])
def test_a_revocation_that_is_taken_back_is_told(world: World, before: str, told: str) -> None:
    def server(crl: str, text: str = "") -> dict[str, Any]:
        credential = {
            "name": "own",
            "certificate_content": "CERTIFICATE",
            "private_key_content": "KEY",
            "trust": {"sources": [{"content": "CA"}]},
            "crl": [{"content": f"-----BEGIN X509 CRL-----\n{crl}\n-----END X509 CRL-----\n"}],
        }
        return {"server": {"credentials": [credential], "sites": []}, **parts(text)}

    origin = apply(world, server(before)).release
    world.answers = lambda probe, serves: Answer("done", 200, serves if serves == origin else "OTHER")
    error, outcome = failing(world, server("BBBB", "deny all;"))
    assert (outcome.state, outcome.revocation) == ("rolled_back", told)
    assert ("server credential own" in error.remedy) is bool(told)


def test_a_run_that_waited_for_one_that_took_everything_away_brings_its_own(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply(world, parts())
    flock = engine.locked

    @contextlib.contextmanager
    def late(path: str, *more: Any) -> Iterator[None]:
        """The other one is done between this one's look at the base and its lock."""
        monkeypatch.setattr(engine, "locked", flock)
        apply(world, {}, state="absent")
        assert not world.store.exists()
        with flock(path, *more):
            yield

    monkeypatch.setattr(engine, "locked", late)
    outcome = apply(world, parts("location /two { return 204; }"))
    assert (outcome.state, world.serves) == ("stable", outcome.release)


@pytest.mark.parametrize("until", ["stable", "checked"])
def test_check_mode_and_the_run_agree_on_an_include_that_is_gone(world: World, until: str) -> None:
    apply(world, parts())
    world.nginx = SimpleNamespace(test=lambda dump: Verdict(True, [], 0.0, Dump()))
    world.include_file = "conf.d/mtls.conf"
    for included in (True, False):
        world.included = included
        planned = Preview(ports(world), Options()).show(Intent(parts=parts(), until=until))
        assert ("conf.d/mtls.conf is written." in planned.plan) is not included
        assert planned.changed is apply(world, parts(), until=until).changed is not included


@pytest.mark.parametrize("until", ["stable", "checked"])
@pytest.mark.parametrize("enabled", [True, False])
def test_check_mode_and_the_run_agree_on_a_stopped_nginx(world: World, enabled: bool, until: str) -> None:
    apply(world, parts())
    world.running, world.enabled = False, enabled
    told = []
    for call in (Preview(ports(world), Options()).show, Transaction(ports(world), Options()).apply):
        try:
            told.append(str(call(Intent(parts=parts(), until=until)).changed))
        except MtlsError as error:
            told.append(str(error))
    # What is only prepared is prepared beside a stopped nginx as well.
    expected = "False" if until == "checked" else "True" if enabled else "not enabled"
    assert told[0] == told[1] and expected in told[0]


def test_check_mode_and_the_run_agree_on_an_edited_empty_release(world: World) -> None:
    apply(world, parts())
    Path(world.store.directory("empty"), "mtls.conf").write_text("edited")
    planned = Preview(ports(world), Options()).show(Intent(parts=parts()))
    assert "Written again in release empty: mtls.conf." in planned.plan
    assert planned.changed and apply(world, parts()).changed
    assert not Preview(ports(world), Options()).show(Intent(parts=parts())).changed


@pytest.mark.parametrize("until", ["stable", "checked"])
def test_check_mode_and_the_run_agree_on_what_a_call_that_only_prepares_sets(
    world: World, monkeypatch: pytest.MonkeyPatch, until: str
) -> None:
    apply(world, parts())
    monkeypatch.setattr(world, "shutdown_timeout", lambda _dump, _wanted: lambda: lambda: None)
    planned = Preview(ports(world), Options()).show(Intent(parts=parts(), until=until))
    assert planned.changed is apply(world, parts(), until=until).changed is (until == "stable")
    assert any("worker_shutdown_timeout" in line for line in planned.plan) is planned.changed


def test_what_somebody_let_nginx_load_during_a_call_is_not_at_rest(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The empty release has no listener that would tell. Its twin: nobody moves the link."""
    prepared = Transaction(ports(world), Options()).apply(Intent(parts=parts(), until="checked")).prepared
    world.running = False  # the next call has something to load

    def moving(*given: Any) -> bool:
        world.store.switch(prepared)
        return world.start()

    for start, steps in ((moving, {"reloaded"}), (world.start, {"stable", "rolled_back"})):
        world.running = False
        given = ports_of(Store(world.store.base), world, lambda: True)
        monkeypatch.setattr(given.service, "start", start)
        with contextlib.suppress(MtlsError):
            Transaction(given, Options()).apply(Intent())
        state = world.store.state()
        assert state is not None
        assert state.step in steps
        world.store.switch(release.EMPTY)
    assert world.serves == release.EMPTY


@pytest.mark.parametrize("step", ["stable", "switched"])
def test_what_somebody_else_has_changed_meanwhile_is_not_changed_again(world: World, step: str) -> None:
    """Its twin: the release is the one that was read, also where a killed run has to be ended first."""
    read = apply(world, parts()).release
    live = apply(world, parts("deny all;")).release
    world.store.write_state(State(step, read, live))
    before = tree(world)
    call = Transaction(ports(world), Options(lock_timeout_s=1, expected=read))
    with pytest.raises(MtlsError, match=f"The live release is {live}, no longer {read}"):
        call.apply(Intent(parts=parts("allow all;")))
    assert (tree(world), call.outcome.changed, world.serves) == (before, False, live)
    state = world.store.state()
    assert state is not None
    assert state.step == step

    call = Transaction(ports(world), Options(lock_timeout_s=1, expected=live))
    assert call.apply(Intent(parts=parts("allow all;"))).state == "stable"


def test_check_mode_says_that_somebody_else_has_changed_it(world: World) -> None:
    live = apply(world, parts()).release
    for expected in ("0123456789abcdef", live):
        call = Preview(ports(world), Options(expected=expected))
        if expected == live:
            assert call.show(Intent(parts=parts())).changed is False
            continue
        with pytest.raises(MtlsError, match="no longer 0123456789abcdef"):
            call.show(Intent(parts=parts()))
