# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of what an answer, or its absence, is due to: one connection, explained."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.explain.case import Case, Seen, Side
from ansible_collections.mutual_tls.nginx.plugins.module_utils._core.explain.explanation import explain
from ansible_collections.mutual_tls.nginx.tests.unit.plugins.module_utils.catalogue.rows import row

GOOD = Seen(target="192.0.2.1:443", server_name="orders.example.com", sent=True, status=200)
REFUSED = replace(GOOD, status=400, body_class="certificate_error")
GATEWAY = Seen(target="127.0.0.1:8080", tls=False, status=502, body_class="bad_gateway")
RUNNING = {"pid": 1, "ok": True, "emerg": [], "loaded": "2026-11-22T00:00:00Z"}


def _found(code: str) -> dict[str, str]:
    return {"code": code, "severity": "error", "message": "It is so.", "place": "x.pem"}


def _judged(code: str, **more: Any) -> Case:
    """The server refuses the client, and by its files for this."""
    return Case(REFUSED, None, Side("b"), Side("a", judged=[{**_found(code), **more}]))


def _answer(**got: Any) -> Case:
    return Case(replace(GOOD, **got), None, Side("b"), Side("a"))


def _silence(**got: Any) -> Case:
    return _answer(status=None, **got)


def _handshake(error: str = "x", **got: Any) -> Case:
    return _silence(phase="handshake", error=error, **got)


def _server(seen: Seen = GOOD, through: Any = None, **side: Any) -> Case:
    return Case(seen, through, Side("b"), Side("a", **side))


def _event(kind: str, **more: Any) -> list[dict[str, Any]]:
    told = {"time": "2026-11-22T01:00:00", "kind": kind, "code": None, "alert": None, "text": "so"}
    return [{**told, "upstream": "", **more}]


def _leaf_trusted(sha256: str) -> Case:
    trust = {"path": "/etc/ca.pem", "certificates": [{"sha256": sha256}]}
    config = {"trust": {"path": "/etc/ca.pem"}}
    judged = [_found("chain.missing_intermediate")]
    client = Side("b", chain=[{"sha256": "aa", "subject": "CN=b", "issuer": "CN=ca"}])
    return Case(REFUSED, None, client, Side("a", config=config, files=[trust], judged=judged))


def _as_another(code: str) -> Case:
    refused = Seen(target="127.0.0.1:8080", tls=False, status=403, body_class="forbidden")
    return Case(GOOD, refused, Side("b", config={"findings": [_found(code)]}), Side("a"))


def _passed_on(dropped: list[str]) -> Case:
    backend = {
        "place": "a.conf:9",
        "path": "/",
        "identity": [],
        "dropped": dropped,
        "dropped_place": "a.conf:5",
    }
    return _server(
        replace(GOOD, status=403, body_class="forbidden"), config={"verify": "on", "backends": [backend]}
    )


_NEWER = {"path": "/etc/a.pem", "newer_than_loaded": True, "changed": "2026-11-22T02:00:00Z"}
_REVOKED = [_found("crl.revoked")]
_CLOSED = "the connection was closed without a word of TLS"
_NOBODY = replace(GOOD, status=None, phase="connect", error="Connection refused")
_AT = replace(GOOD, target="a.example.com:443", address="192.0.2.1:443")
_MUTE = replace(GOOD, status=None, phase="handshake", error="no end within 5 s")
_UNASKED = replace(GOOD, status=400, body_class="no_certificate")
_ON = {"verify": "on"}

# fmt: off
_PAIRS = {
    "endpoint.name_unresolved": ("no address for the name | nobody at the address",
        _silence(phase="resolve", error="No address"), _silence(phase="connect", error="Connection refused")),
    "endpoint.connection_refused": ("nobody at the address | somebody",
        _silence(phase="connect", error="Connection refused"), _answer()),
    "endpoint.unreachable": ("no way there | nobody at the address",
        _silence(phase="connect", error="No route to host"),
        _silence(phase="connect", error="Connection refused")),
    "endpoint.another_server": ("the host that is meant serves another certificate | nobody is meant",
        Case(REFUSED, None, Side("b"), Side(), meant="a"), Case(REFUSED, None, Side("b"), Side())),
    "endpoint.address_kept": ("nginx asks another address than we | the same",
        Case(_AT, GATEWAY, Side("b", log=_event("upstream_verify", code=18, upstream="192.0.2.9:443"))),
        Case(_AT, GATEWAY, Side("b", log=_event("upstream_verify", code=18, upstream="192.0.2.1:443")))),
    "endpoint.exhausted": ("silent, and the log has it | silent, and the log has not",
        _server(_MUTE, log=_event("exhausted")), _server(_MUTE, log=[])),
    "endpoint.address_denied": ("403, and the log says by rule | 403, and it does not",
        _server(replace(GOOD, status=403, body_class="forbidden"), log=_event("access_denied")),
        _server(replace(GOOD, status=403, body_class="forbidden"), log=[])),
    "endpoint.error_answer": ("503 | 404",
        _answer(status=503, body_class="other"), _answer(status=404, body_class="other")),
    "endpoint.tls_ends_before": ("the block of that name does not verify | it does",
        _server(_UNASKED, config={"verify": "off", "names": [GOOD.server_name], "places": {}}),
        _server(_UNASKED, config={"verify": "on", "names": [GOOD.server_name], "places": {}})),
    "endpoint.nginx_down": ("nginx does not run | it does",
        _server(_NOBODY, instance={"pid": None}),
        _server(_NOBODY, instance=RUNNING)),
    "endpoint.timed_out": ("no end in time | an alert",
        _handshake("no end within 5 s"), _handshake(alert=40)),
    "endpoint.closed": ("closed | an alert",
        _handshake(_CLOSED), _handshake(alert=40)),
    "endpoint.plain_on_tls_port": ("an answer that is not TLS | closed",
        _handshake("the answer is not TLS"), _handshake(_CLOSED)),
    "endpoint.tls_on_plain_port": ("nginx's page for it | its page for no certificate",
        _answer(status=400, body_class="plain_http_to_tls"),
        _answer(status=400, body_class="no_certificate")),
    "endpoint.proxy_protocol": ("the listen has it | it has not",
        _server(replace(GOOD, status=None, phase="handshake", error=_CLOSED),
                config={"listens": [{"proxy_protocol": True}]}),
        _server(replace(GOOD, status=None, phase="handshake", error=_CLOSED),
                config={"listens": [{"proxy_protocol": False}]})),
    "endpoint.http2_only": ("HTTP/2 in place of HTTP/1.1 | any alert",
        _silence(phase="response", error="x", body_class="http2"), _handshake(alert=120)),
    "endpoint.handshake_failed": ("any alert | alert 40", _handshake(alert=80), _handshake(alert=40)),
    "endpoint.protocol_version": ("alert 70 | alert 40",
        _handshake(alert=70), _handshake(alert=40)),
    "endpoint.no_shared_cipher": ("alert 40 | alert 70",
        _handshake(alert=40), _handshake(alert=70)),
    "endpoint.sni_missing": ("no name was sent | one was",
        _handshake(alert=112, server_name=""),
        _handshake(alert=112)),
    "endpoint.sni_unknown": ("a name was sent | none was",
        _handshake(alert=112),
        _handshake(alert=112, server_name="")),
    "endpoint.misdirected": ("421 | 403",
        _answer(status=421, body_class="misdirected"), _answer(status=403, body_class="forbidden")),
    "endpoint.server_name": ("a certificate of another name | one that is only about to end",
        Case(GOOD, GATEWAY, Side("b", judged=[_found("name.mismatch")]), Side("a")),
        Case(GOOD, GATEWAY, Side("b", judged=[{**_found("expiry.soon"), "severity": "warning"}]), Side("a"))),
    "endpoint.client_cert_not_sent": ("nginx's page for it | its page for another one",
        _answer(status=400, body_class="no_certificate", sent=False),
        _answer(status=400, body_class="certificate_error")),
    "endpoint.client_refused": ("nobody says why | the log does",
        _server(REFUSED), _server(REFUSED, log=_event("client_verify", code=23))),
    "endpoint.client_ca_not_accepted": ("a root that is not trusted | a depth that is too small",
        _judged("chain.root_not_trusted"), _judged("chain.too_deep")),
    "endpoint.client_not_allowed": ("403 | 404",
        _answer(status=403, body_class="forbidden"), _answer(status=404, body_class="other")),
    "endpoint.server_ca_not_accepted": ("a root that is not trusted | a depth that is too small",
        Case(GOOD, GATEWAY, Side("b", judged=[_found("chain.root_not_trusted")]), Side("a")),
        Case(GOOD, GATEWAY, Side("b", judged=[_found("chain.too_deep")]), Side("a"))),
    "endpoint.issuer_unknown": ("nobody knows the issuer | an intermediate is known",
        _judged("chain.missing_intermediate"), _judged("chain.missing_intermediate", issuer="intermediate")),
    "endpoint.intermediate_missing": ("an intermediate is known | nobody knows the issuer",
        _judged("chain.missing_intermediate", issuer="intermediate"), _judged("chain.missing_intermediate")),
    "endpoint.self_signed": ("self-signed | of an unknown root",
        _judged("chain.self_signed"), _judged("chain.root_not_trusted")),
    "endpoint.root_missing": ("the root is missing | it is not trusted",
        _judged("chain.root_missing"), _judged("chain.root_not_trusted")),
    "endpoint.leaf_trusted": ("the trust has the leaf itself | it has another one",
        _leaf_trusted("aa"), _leaf_trusted("bb")),
    "endpoint.trust_inherited": ("the depth of the http level | its own",
        _server(REFUSED, judged=[_found("chain.too_deep")], config={"inherited": ["ssl_verify_depth"]}),
        _server(REFUSED, judged=[_found("chain.too_deep")], config={"inherited": []})),
    "endpoint.identity_shared": ("refused by nginx alone, and connections are shared | they are not",
        _as_another("proxy.identity_shared"), _as_another("proxy.sni_off")),
    "endpoint.identity_lost": ("403 behind a location that drops the header | that repeats it",
        _passed_on(["X-DN"]), _passed_on([])),
    "endpoint.depth": ("too deep | the root is missing",
        _judged("chain.too_deep"), _judged("chain.root_missing")),
    "endpoint.signature": ("a wrong signature | a weak one",
        _judged("chain.signature_invalid"), _judged("signature.weak")),
    "endpoint.chain_refused": ("a constraint on names | a wrong signature",
        _judged("chain.name_constraints"), _judged("chain.signature_invalid")),
    "endpoint.expired": ("expired | not yet valid",
        _judged("expiry.expired"), _judged("expiry.not_yet_valid")),
    "endpoint.not_yet_valid": ("not yet valid | expired",
        _judged("expiry.not_yet_valid"), _judged("expiry.expired")),
    "endpoint.clock": ("an hour off, and valid by the right time | five seconds off",
        _server(REFUSED, judged=[_found("expiry.expired")], truly=[], clock_s=3600.0),
        _server(REFUSED, judged=[_found("expiry.expired")], truly=[], clock_s=5.0)),
    "endpoint.purpose": ("the purpose | the digest",
        _judged("purpose.client_auth_missing"), _judged("signature.weak")),
    "endpoint.weak_key": ("the key | the digest", _judged("key.weak"), _judged("signature.weak")),
    "endpoint.weak_digest": ("the digest | the key", _judged("signature.weak"), _judged("key.weak")),
    "endpoint.revoked": ("revoked | a list that has ended", _judged("crl.revoked"), _judged("crl.expired")),
    "endpoint.crl_expired": ("a list that has ended | none",
        _judged("crl.expired"), _judged("crl.missing_for_ca")),
    "endpoint.crl_not_yet_valid": ("a list from the future | one that has ended",
        _judged("crl.not_yet_valid"), _judged("crl.expired")),
    "endpoint.crl_missing": ("no list | one that has ended",
        _judged("crl.missing_for_ca"), _judged("crl.expired")),
    "endpoint.crl_unusable": ("a delta list | none", _judged("crl.delta"), _judged("crl.missing_for_ca")),
    "endpoint.backend_down": ("502 of the server | 502 of the client's nginx",
        _answer(status=502, body_class="bad_gateway"), Case(GOOD, GATEWAY, Side("b"), Side("a"))),
    "endpoint.bad_gateway": ("502 of the client's nginx | 502 of the server",
        Case(GOOD, GATEWAY, Side("b"), Side("a")), _answer(status=502, body_class="bad_gateway")),
    "endpoint.worker_cannot_read": ("500, and the log says it | 500, and it does not",
        Case(GOOD, replace(GATEWAY, status=500), Side("b", log=_event("worker_file")), Side("a")),
        Case(GOOD, replace(GATEWAY, status=500), Side("b", log=[]), Side("a"))),
    "endpoint.not_reloaded": ("a file is newer than what nginx has read | none is",
        _server(REFUSED, judged=[], instance=RUNNING, files=[_NEWER]),
        _server(REFUSED, judged=[], instance=RUNNING)),
    "endpoint.reload_refused": ("nginx runs and refuses its configuration | it takes it",
        _server(REFUSED, judged=[], instance={**RUNNING, "ok": False}),
        _server(REFUSED, judged=[], instance=RUNNING)),
    "endpoint.refusal_remembered": ("the client gets in by itself | it does not",
        _server(GOOD, replace(GATEWAY, status=400, body_class="certificate_error"), judged=[]),
        _server(REFUSED, replace(GATEWAY, status=400, body_class="certificate_error"), judged=[])),
    "endpoint.not_verified": ("verify is off | it is on",
        _server(config={"verify": "off"}), _server(config=_ON)),
    "endpoint.session_outlives_trust": ("a resumed session of one who is revoked | of one who is not",
        _server(replace(GOOD, resumed=True), config=_ON, judged=_REVOKED),
        _server(replace(GOOD, resumed=True), config=_ON, judged=[])),
    "endpoint.admitted": ("one who is revoked gets in | one who is not",
        _server(config=_ON, judged=_REVOKED), _server(config=_ON, judged=[])),
}
# fmt: on


def _register(code: str, says: str, raising: Case, silent: Case) -> None:
    def build() -> Any:
        return tuple(explain(case).to_dict()["findings"] for case in (raising, silent))

    build.__doc__ = says
    row(code)(build)


for _code, (_says, _raising, _silent) in _PAIRS.items():
    _register(_code, _says, _raising, _silent)
