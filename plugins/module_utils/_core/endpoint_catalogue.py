# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of the catalogue in the area `endpoint`: what an answer, or its absence, is due to.

The remedy is the general one; an explanation that knows both ends says which file and which line it is.
"""

from __future__ import annotations

_ERROR, _WARNING = "error", "warning"

# fmt: off
ROWS = (
    # Nobody answers.
    ("endpoint.name_unresolved", _ERROR, "The server's name does not resolve",
     ("Correct the name, DNS or /etc/hosts on the host that asks, then reload nginx: it resolves a name of"
      " proxy_pass when it loads its configuration.")),
    ("endpoint.connection_refused", _ERROR, "Nothing listens at the address and port",
     "Start what should listen there, or ask another port; a firewall that rejects looks the same."),
    ("endpoint.unreachable", _ERROR, "The network has no way to the address",
     ("Look for a firewall that rejects, a route that is missing, and whether the host is up and the address"
      " its own.")),
    ("endpoint.nginx_down", _ERROR, "The server's nginx does not run",
     "Start it; where it refuses its configuration, mend what its own line names first."),
    ("endpoint.timed_out", _ERROR, "The server does not answer in time",
     "Look for a firewall that drops packets, and at what stands behind the server."),
    ("endpoint.closed", _ERROR, "The server closes the connection without a word",
     "Look into its error log, and whether something else than an HTTP server listens there."),
    ("endpoint.another_server", _ERROR, "Another server answers than the one that is meant",
     ("See to which address the name leads on the host that asks (getent ahosts, /etc/hosts, DNS), and what"
      " stands between the two: a load balancer that ends TLS takes the client's certificate away.")),
    ("endpoint.address_kept", _ERROR, "The client's nginx asks another address than a new request does",
     ("If the name does not lead there any more, reload the client's nginx: it resolves a name when it loads"
      " its configuration. If it has both addresses, mend the server at the one that nginx asks.")),
    ("endpoint.exhausted", _ERROR, "An nginx has run out of connections, files, memory or room on a disk",
     ("Give it more of what its own line names (worker_connections, worker_rlimit_nofile, room on the disk),"
      " and look who takes all of it.")),
    # Two that do not speak the same.
    ("endpoint.plain_on_tls_port", _ERROR, "TLS was sent to a port that does not speak it",
     "Ask another port, add `ssl` to the listen of the server, or write http:// where that is meant."),
    ("endpoint.tls_on_plain_port", _ERROR, "Plain HTTP was sent to a port that speaks TLS",
     "Write https:// (proxy_pass https://…), or ask another port."),
    ("endpoint.proxy_protocol", _ERROR, "The server expects the PROXY protocol, or does not understand it",
     "Let both ends say the same: proxy_protocol of listen, and of whoever connects."),
    ("endpoint.http2_only", _ERROR, "The server speaks HTTP/2 only",
     "Use grpc_pass for gRPC, or let the server speak HTTP/1.1: nginx's proxy_pass does."),
    ("endpoint.protocol_version", _ERROR, "The two ends have no TLS version in common",
     "Set ssl_protocols and proxy_ssl_protocols to TLSv1.2 TLSv1.3; nginx 1.22 has no TLS 1.3 by default."),
    ("endpoint.handshake_failed", _ERROR, "The server ends the handshake with a TLS alert",
     "Read its error log at level info; RFC 8446, 6 says what the alert is for."),
    ("endpoint.no_shared_cipher", _ERROR, "The two ends have no cipher in common",
     ("Compare ssl_ciphers, ssl_ecdh_curve and the kind of the server's key with proxy_ssl_ciphers: an EC"
      " certificate needs ECDSA ciphers.")),
    # Which server block answers.
    ("endpoint.sni_missing", _ERROR, "The server wants a server name (SNI), and none is sent",
     "Set proxy_ssl_server_name on; and proxy_ssl_name to a name: nginx sends none for an IP address."),
    ("endpoint.sni_unknown", _ERROR, "The server has no block for the server name that is sent",
     "Correct proxy_ssl_name (server_name of the route), or add the name to server_name there."),
    ("endpoint.misdirected", _ERROR, "Host and server name belong to different server blocks (421)",
     "Send one name as both: proxy_ssl_name and proxy_set_header Host."),
    ("endpoint.server_name", _ERROR, "The server's certificate is not for the name that is asked for",
     "Ask by a name that it has, or have it issued with this name."),
    # The client's certificate.
    ("endpoint.client_cert_not_sent", _ERROR, "The client sends no certificate, and the server requires one",
     "Set proxy_ssl_certificate and proxy_ssl_certificate_key in that location, and reload nginx."),
    ("endpoint.tls_ends_before", _ERROR, "TLS ends before the server that wants the client's certificate",
     ("Pass TCP on there (stream, without ssl), or verify the client there and give what is behind it a"
      " certificate of its own.")),
    ("endpoint.client_refused", _ERROR, "The server refuses the client's certificate, and nobody says why",
     "Read the server's error log at level info: nginx answers 400 to all."),
    ("endpoint.client_ca_not_accepted", _ERROR, "The server does not trust the client's authority",
     "Use a certificate of an authority that it trusts, or add that authority to its trust."),
    ("endpoint.client_not_allowed", _ERROR, "The server accepts the client's certificate, and answers 403",
     "Add it to the site's `allow` (a map of names), or look at what else answers 403 there, or behind it."),
    ("endpoint.address_denied", _ERROR, "The server denies the client's address or method",
     "Look at allow, deny and limit_except there: the certificate is accepted."),
    # The server's certificate.
    ("endpoint.server_ca_not_accepted", _ERROR, "The client does not trust the server's authority",
     "Add that authority to the client's trust, or give the server a certificate of one that is there."),
    # Either's.
    ("endpoint.issuer_unknown", _ERROR, "The issuer of a certificate is neither sent along nor trusted",
     "An intermediate belongs into the sender's chain, a root into the trust of the other side."),
    ("endpoint.intermediate_missing", _ERROR, "An intermediate certificate is not sent along",
     "Append it to the sender's certificate, behind the leaf."),
    ("endpoint.self_signed", _ERROR, "A self-signed certificate is not trusted",
     "Use one that an authority has issued which the other side trusts."),
    ("endpoint.root_missing", _ERROR, "The trust has an intermediate, and not its root",
     "Add the root: nginx accepts no chain that ends at an intermediate."),
    ("endpoint.leaf_trusted", _ERROR, "The trust has a leaf certificate in place of its authority",
     "Put the authority's certificate into the trust: a leaf vouches for nobody, not even for itself."),
    ("endpoint.depth", _ERROR, "The chain has more intermediates than the verify depth allows",
     "Raise ssl_verify_depth or proxy_ssl_verify_depth to the number of intermediates."),
    ("endpoint.signature", _ERROR, "A signature does not fit the key of the authority of that name",
     "Have the certificate issued with key identifiers, and give each authority a name of its own."),
    ("endpoint.chain_refused", _ERROR, "OpenSSL refuses a chain",
     "Have the certificate that is named issued again."),
    ("endpoint.expired", _ERROR, "A certificate of the connection has expired",
     "Renew it (rotate.yml), and see that its nginx is reloaded."),
    ("endpoint.not_yet_valid", _ERROR, "A certificate of the connection is not valid yet",
     "Compare the clocks of both hosts and of the authority."),
    ("endpoint.clock", _ERROR, "A host's clock is wrong, so it refuses what is valid",
     "Set its clock, then ask again."),
    ("endpoint.purpose", _ERROR, "A certificate may not be used for this side of TLS",
     "Have it issued with the extended key usage clientAuth or serverAuth."),
    ("endpoint.weak_key", _ERROR, "A key of the chain is too short for the other side",
     "Have it issued anew for P-256, or RSA of 2048 bits or more."),
    ("endpoint.weak_digest", _ERROR, "A certificate is signed with a digest that the other side forbids",
     "Have it issued anew with SHA-256."),
    ("endpoint.revoked", _ERROR, "A certificate of the connection is revoked",
     "That is what a CRL is for; who shall get in again needs a new certificate for a new key."),
    ("endpoint.crl_expired", _ERROR, "A CRL has ended, so all of its authority are refused",
     "Renew the CRL (rotate.yml), and reload nginx."),
    ("endpoint.crl_not_yet_valid", _ERROR, "A CRL is from the future, so all of its authority are refused",
     "Compare the clocks of the host and of the authority."),
    ("endpoint.crl_missing", _ERROR, "An authority has no CRL, so all of it are refused",
     "Add a CRL of each authority of the chain, the root included."),
    ("endpoint.crl_unusable", _ERROR, "A CRL cannot be used, so all of its authority are refused",
     "Put the authority's complete and current CRL in its place."),
    ("endpoint.trust_inherited", _ERROR, "The http level gives a server block a CRL or a depth of its own",
     'Write ssl_crl and ssl_verify_depth in the server block itself, ssl_crl "" where it shall have none.'),
    # Behind the handshake.
    ("endpoint.identity_shared", _ERROR, "The client's nginx asks by the connection of another identity",
     "Give each client certificate and each setting of verification an upstream block of its own."),
    ("endpoint.identity_lost", _ERROR, "What is behind the server does not learn who the client is",
     ("Repeat all proxy_set_header lines in a location that has one of its own, and set ssl_verify_client"
      " on.")),
    ("endpoint.backend_down", _ERROR, "The server accepts the client, and what is behind it does not answer",
     "Look at the backend: TLS is well."),
    ("endpoint.error_answer", _ERROR, "An answer of 429 or of 5xx that is none of TLS",
     "Look at limits (limit_req, limit_conn), maintenance pages and the application: TLS is well."),
    ("endpoint.bad_gateway", _ERROR, "The client's nginx gets no answer that it accepts (502)",
     "Read its error log: the cause stands there at level error."),
    ("endpoint.worker_cannot_read", _ERROR, "A worker of nginx cannot read what a variable names",
     ("Name certificate and key without a variable: then the master reads them as root. One location, or one"
      " upstream, for each client certificate.")),
    # What runs is not what lies on the disk.
    ("endpoint.served_differs_from_file", _WARNING, "The certificate served is not the one on disk",
     "Reload nginx; if it stays, look for another nginx or another server block on this address."),
    ("endpoint.not_reloaded", _ERROR, "A file was replaced after nginx had read it",
     "Reload nginx, and see that its workers are new."),
    ("endpoint.reload_refused", _ERROR, "nginx refuses its configuration, and runs with an older one",
     "Mend what its own line names, then reload: it would not start again as it is."),
    ("endpoint.refusal_remembered", _WARNING, "A TLS session remembers a refusal whose cause is mended",
     "Reload the client's nginx; on the server: ssl_session_cache off; ssl_session_tickets off;"),
    # Let in, and should not be.
    ("endpoint.not_verified", _ERROR, "The server lets in clients that it has not verified",
     "Set ssl_verify_client on; in that server block."),
    ("endpoint.session_outlives_trust", _ERROR, "A TLS session lets in a client that would be refused",
     "Set ssl_session_cache off; and ssl_session_tickets off; in the default server of the port, too."),
    ("endpoint.admitted", _ERROR, "The server lets in a client that its files refuse",
     "Look for another server block or another nginx on that address, then reload."),
)
# fmt: on
