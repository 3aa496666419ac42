# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit as a textfile of Prometheus' node_exporter.

Certificates and CRLs have the names and labels of x509-certificate-exporter, so that its rules and dashboards
apply; what that does not know begins with ``mtls_``. One file has the whole fleet, and is scraped from the
controller: whose it is says the label ``host``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from posixpath import basename
from typing import Any, Optional

from ansible_collections.mutual_tls.nginx.plugins.module_utils._core import audit
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.audit.host import parsed
from ansible_collections.mutual_tls.nginx.plugins.plugin_utils.audit.report import REFUSED

#: Every metric, all gauges, and its help.
METRICS = {
    "x509_cert_not_before": "Begin of the certificate's validity, seconds since 1970.",
    "x509_cert_not_after": "End of the certificate's validity, seconds since 1970.",
    "x509_cert_expired": "1 if the certificate had expired at the time of the audit, else 0.",
    "x509_crl_this_update": "Time at which the CRL was issued, seconds since 1970.",
    "x509_crl_next_update": "Time until which the CRL holds, seconds since 1970.",
    "x509_crl_stale": "1 if the CRL was past its next update at the time of the audit, else 0.",
    "mtls_audit_timestamp_seconds": "When the audit was made, seconds since 1970.",
    "mtls_audit_read_error": "1 if the host, or a part of it, could not be read, else 0.",
    "mtls_nginx_configuration_ok": "1 if nginx accepts its configuration as it is on disk, else 0.",
    "mtls_release_unproven": "1 if a run was cut off before the live release was proven, else 0.",
    "mtls_served_differs": "1 if nginx serves another certificate than its file has, else 0.",
    "mtls_served_error": "1 if nginx did not answer there, else 0.",
    "mtls_trust_info": "Always 1; bundles of one generation (a label) trust the same authorities.",
    "mtls_edges": "Number of edges (a Server B that asks a Server A) in that state.",
    "mtls_edge_refused": "1 for each edge that one of its two sides refuses.",
    "mtls_findings": "Number of findings of that severity.",
}

Sample = tuple[str, dict[str, Any], float]


def text(found: Mapping[str, Any]) -> str:
    """The report in the text format of Prometheus, version 0.0.4."""
    by_name: dict[str, dict[str, str]] = {name: {} for name in METRICS}
    for name, labels, value in _samples(found):
        # A bundle may hold a certificate twice, and a series is told once.
        by_name[name].setdefault(_labels(labels), _number(value))
    lines = []
    for name, samples in by_name.items():
        if samples:
            lines += [f"# HELP {name} {METRICS[name]}", f"# TYPE {name} gauge"]
            lines += [f"{name}{labels} {value}" for labels, value in samples.items()]
    return "\n".join(lines) + "\n"


def _samples(found: Mapping[str, Any]) -> Iterator[Sample]:
    yield "mtls_audit_timestamp_seconds", {}, _seconds(found["generated"]) or 0
    for state, number in found["summary"]["edges"].items():
        yield "mtls_edges", {"state": state}, number
    for host in found["hosts"]:
        yield from _host(host)
    for edge in found["edges"]:
        if edge["state"] == REFUSED:
            code = edge["client_accepted"]["code"] or edge["server_accepted"]["code"]
            labels = {key: edge[key] or "" for key in ("proxy", "route", "address", "server_name")}
            yield "mtls_edge_refused", {**labels, "code": code}, 1


def _host(host: Mapping[str, Any]) -> Iterator[Sample]:
    name = {"host": host["name"]}
    if host["state"] != audit.NOT_ASKED:
        yield "mtls_audit_read_error", name, host["state"] != audit.READ
    for severity, number in host["findings"].items():
        yield "mtls_findings", {**name, "severity": severity}, number
    for one in host["instances"]:
        yield "mtls_nginx_configuration_ok", {**name, "conf_path": one["conf_path"] or ""}, bool(one["ok"])
    if host["release"] is not None:
        yield "mtls_release_unproven", name, not host["release"]["proven"]
    for one in host["served"]:
        labels = {**name, "address": one["address"] or "", "server_name": one["server_name"] or ""}
        yield "mtls_served_error", labels, bool(one["error"])
        if one["differs"] is not None:
            yield "mtls_served_differs", labels, one["differs"]
    for one in host["certificates"]:
        yield from _certificate(name, one)
    for one in host["crls"]:
        yield from _crl(name, one)
    for path, generation in _generations(host["certificates"]):
        yield "mtls_trust_info", {**name, "filepath": path, "generation": generation}, 1


def _file(name: Mapping[str, str], one: Mapping[str, Any]) -> dict[str, Any]:
    path = one["file"]
    return {**name, "filename": basename(path), "filepath": path, "credential": one["credential"]}


def _certificate(name: Mapping[str, str], one: Mapping[str, Any]) -> Iterator[Sample]:
    labels = {
        **_file(name, one),
        "role": one["role"],
        "serial_number": str(int(one["serial"], 16)) if one["serial"] else "",
        "subject_CN": one["common_name"],
        "issuer_CN": one["issuer_common_name"],
    }
    yield from _times(labels, one, {"x509_cert_not_before": "not_before", "x509_cert_not_after": "not_after"})
    if one["not_after"]:
        yield "x509_cert_expired", labels, one["validity"] == audit.EXPIRED


def _crl(name: Mapping[str, str], one: Mapping[str, Any]) -> Iterator[Sample]:
    labels = {**_file(name, one), "issuer_CN": one["issuer_common_name"], "crl_number": one["number"] or ""}
    yield from _times(
        labels, one, {"x509_crl_this_update": "this_update", "x509_crl_next_update": "next_update"}
    )
    if one["next_update"]:
        yield "x509_crl_stale", labels, one["validity"] == audit.EXPIRED


def _times(labels: Mapping[str, Any], one: Mapping[str, Any], keys: Mapping[str, str]) -> Iterator[Sample]:
    for metric, key in keys.items():
        seconds = _seconds(one[key])
        if seconds is not None:
            yield metric, dict(labels), seconds


def _seconds(moment: Optional[str]) -> Optional[float]:
    found = parsed(moment)
    return None if found is None else found.timestamp()


def _generations(certificates: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Path of each trust bundle, and a digest of the authorities in it, whatever their order."""
    bundles: dict[str, set[str]] = {}
    for one in certificates:
        if one["role"] == "trust":
            bundles.setdefault(one["file"], set()).add(one["sha256"] or "")
    for path, digests in bundles.items():
        yield path, hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()[:12]


def _labels(labels: Mapping[str, Any]) -> str:
    return (
        "{" + ",".join(f'{key}="{_escaped(str(value))}"' for key, value in labels.items()) + "}"
        if labels
        else ""
    )


def _escaped(value: str) -> str:
    """As the text format wants it; a lone surrogate, which no UTF-8 has, becomes a question mark."""
    clean = value.encode("utf-8", "replace").decode()
    return clean.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value))
