# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalogue of findings: one row per code, with severity, title and remedy.

A code never changes its meaning. Severity: ``error``: nginx would not load it, or the other side would
refuse it, now; ``warning``: works now, and will not or should not; ``info``: said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import endpoint_catalogue

ERROR = "error"
WARNING = "warning"
INFO = "info"
SEVERITIES = (ERROR, WARNING, INFO)

# Areas in which one and the same fault may or may not stop the path: see ``Finding.harmless``.
_DEPENDS_ON_EFFECT = ("chain", "purpose", "crl", "format")


@dataclass(frozen=True)
class Entry:
    """One row of the catalogue; *remedy* is what a person does about it."""

    severity: str
    title: str
    remedy: str


def _rows(*rows: tuple[str, str, str, str]) -> dict[str, Entry]:
    return {code: Entry(severity, title, remedy) for code, severity, title, remedy in rows}


# fmt: off
CATALOGUE: dict[str, Entry] = _rows(
    ("pair.key_mismatch", ERROR, "The private key does not belong to the certificate",
     "Give the key that the certificate was requested with, or have a new certificate issued for this key."),
    ("pair.key_encrypted", ERROR, "The private key is encrypted and cannot be opened",
     "Give its passphrase: files.passphrase of a role's credential, private_key_passphrase of a module."),
    ("pair.legacy_cipher", ERROR, "The private key is encrypted with a cipher that OpenSSL 3 no longer reads",
     ("Encrypt it anew where OpenSSL has its legacy provider: umask 077; openssl pkcs8 -provider legacy"
      " -provider default -in FILE -topk8 -v2 aes-256-cbc -out FILE.new")),
    ("pair.costly_derivation", ERROR, "The private key's passphrase takes too long or too much memory to try",
     "Encrypt it anew with fewer iterations: umask 077; openssl pkcs8 -in FILE -topk8 -out FILE.new"),
    ("pair.undecided", WARNING, "Nothing on this host can tell whether the private key is the certificate's",
     "Install the package openssl on the host (apt install openssl); look at a token's key where it is."),
    ("pair.swapped_files", ERROR, "Certificate and private key are swapped",
     "Exchange the two files."),
    ("chain.missing_intermediate", ERROR, "The issuer's certificate is not in the chain",
     ("Append the issuing CA's intermediate certificate to the certificate's chain; if there is none, the"
      " trust bundle belongs to another CA.")),
    ("chain.root_missing", ERROR, "The trust bundle holds an intermediate but not its root",
     "Add the root certificate to the trust bundle; nginx accepts no chain that ends at an intermediate."),
    ("chain.root_not_trusted", ERROR, "The chain ends at a root that the trust bundle does not hold",
     "Use a certificate of a CA that the other side trusts, or add this root to the trust bundle."),
    ("chain.self_signed", ERROR, "The certificate is self-signed and not trusted itself",
     "Use a certificate issued by a trusted CA."),
    ("chain.wrong_order", ERROR, "The certificates are not in order",
     "Put the certificate of the key first, then each issuer after the one that it issued."),
    ("chain.signature_invalid", ERROR, "A signature in the chain does not fit the issuer's key",
     "Use the certificate of the CA that really signed: one of the same name has another key."),
    ("chain.too_deep", ERROR, "The chain has more intermediates than the verify depth allows",
     "Raise verify_depth to the number of intermediates."),
    ("chain.not_a_ca", ERROR, "A certificate that is no CA has issued another one",
     "Have the certificate issued by a CA certificate (basic constraints CA:TRUE, key usage keyCertSign)."),
    ("chain.path_length", ERROR, "A CA's path length forbids this many CAs below it",
     "Have the intermediate issued by a CA whose path length allows it."),
    ("chain.unknown_critical", ERROR, "A certificate has a critical extension that OpenSSL does not know",
     "Have the certificate issued without that extension, or with it not critical."),
    ("chain.invalid_extension", ERROR, "A certificate has an unreadable extension, or one of them twice",
     "Have the certificate issued again; OpenSSL refuses it as it is."),
    ("chain.name_constraints", ERROR, "A CA's name constraints forbid a name of the certificate",
     "Use a CA that may issue for this name, or have the certificate issued without the name."),
    ("chain.rejected", ERROR, "A TRUSTED CERTIFICATE block rejects this purpose",
     "Give the certificate as a plain CERTIFICATE block: openssl x509 -in FILE -out FILE.pem"),
    ("chain.refused", ERROR, "OpenSSL refuses the chain",
     "The message has OpenSSL's own words; have the certificate that it names issued again."),
    ("chain.undecided", WARNING, "Nothing on this host can tell whether the chain verifies",
     "Install the package openssl on the host (apt install openssl), or a newer python3-cryptography."),
    ("chain.authority_changed", WARNING, "A server's certificate is of another authority than the live one",
     "See that every client, each Server B, trusts that authority before this certificate is served."),
    ("chain.no_key_identifier", ERROR, "A certificate has no authority key identifier",
     ("Have it issued with subject and authority key identifiers: without them, of several CAs of one name"
      " only the first in the bundle is tried.")),
    ("purpose.client_auth_missing", ERROR, "The certificate may not be used by a TLS client",
     "Have it issued with the extended key usage clientAuth and the key usage digitalSignature."),
    ("purpose.server_auth_missing", ERROR, "The certificate may not be used by a TLS server",
     "Have it issued with the extended key usage serverAuth and the key usage digitalSignature."),
    ("name.mismatch", ERROR, "The certificate is not valid for a wanted name",
     "Have it issued with this name as a subject alternative name."),
    ("name.common_name_only", WARNING, "The name stands in the common name only",
     "Have it issued with subject alternative names: most clients ignore the common name."),
    ("name.ip_address", WARNING, "nginx and OpenSSL disagree about an IP address in the certificate",
     "Connect by a DNS name: nginx as a client compares DNS names only, and sends no SNI for an address."),
    ("expiry.expired", ERROR, "A certificate has expired",
     "Renew it."),
    ("expiry.soon", WARNING, "A certificate expires soon",
     "Renew it before that day; where the issuer is `files`, deliver the new file."),
    ("expiry.not_yet_valid", ERROR, "A certificate is not valid yet",
     "Check the clock of this host, or wait until the certificate's first day."),
    ("expiry.unreadable", ERROR, "A date of the certificate cannot be read",
     "Have the certificate issued again; OpenSSL refuses it as it is."),
    ("serial.irregular", WARNING, "The serial number is not a positive number of at most 20 octets",
     "Have the certificate issued with a serial number as RFC 5280, 4.1.2.2 asks for."),
    ("format.der", ERROR, "The file is DER, nginx reads PEM only",
     "Convert it: openssl x509 -inform DER -in FILE -out FILE.pem (a CRL: openssl crl, a key: openssl pkey)"),
    ("format.pkcs7", ERROR, "The file is PKCS#7, nginx reads PEM certificates only",
     "Convert it: openssl pkcs7 -in FILE -print_certs -out FILE.pem (with -inform DER where it is binary)"),
    ("format.pkcs12", ERROR, "The file is PKCS#12, nginx reads PEM only",
     "Convert it: umask 077; openssl pkcs12 -in FILE -nodes -out FILE.pem (-legacy for old ciphers)"),
    ("format.utf16", ERROR, "The file is UTF-16, nginx reads ASCII and UTF-8 only",
     "Save it as plain ASCII."),
    ("format.wrong_kind", ERROR, "The file holds something else than what belongs in this place",
     "Give the file that the message asks for."),
    ("format.trusted_certificate", INFO, "A TRUSTED CERTIFICATE block has trust settings of its own",
     "Give it as a plain CERTIFICATE block: openssl x509 -in FILE -out FILE.pem"),
    ("format.bom", WARNING, "The file begins with a byte order mark",
     "Save it as plain ASCII or UTF-8 without a byte order mark."),
    ("format.glued_blocks", ERROR, "Two PEM blocks stand on one line",
     "Put a line break between the END line and the BEGIN line (a file lacked its last line break)."),
    ("format.indented", ERROR, "A PEM block is indented, so it is not seen",
     "Remove the white space before each line of the block."),
    ("format.line_breaks", ERROR, "A PEM block has lost its line breaks, so it is not seen",
     "Write every line of the block on a line of its own: no \\n, blank or carriage return in its place."),
    ("format.damaged", ERROR, "A PEM block is truncated or damaged",
     "Fetch the file again from its source."),
    ("format.unreadable", ERROR, "The file holds nothing that can be read as what it should be",
     "Give a PEM file of the right kind."),
    ("key.weak", ERROR, "A key is too short for OpenSSL's security level",
     "Use RSA of 2048 bits or more, or P-256."),
    ("key.inconsistent", ERROR, "The private key is damaged: nginx loads it, and no handshake succeeds",
     "Give the key from its source again, or make a new one and have a certificate issued for it."),
    ("key.unusual", WARNING, "TLS peers do not accept this kind of key unless they are told to",
     "Use P-256, P-384, Ed25519, or RSA of 2048 bits or more."),
    ("signature.weak", ERROR, "A certificate is signed with a broken digest",
     "Have it issued again with SHA-256 or better."),
    ("bundle.probe_left_out", ERROR, "A site would refuse the probe identity that proves it today",
     ("Keep that authority in trust.sources. Where it shall go, and other sites keep it, give the credential"
      " a new name: its sites are then a Server B's to prove.")),
    ("bundle.private_key", WARNING, "The trust bundle holds a private key",
     "Take the key out of the bundle, and replace it: whoever could read the bundle may have it."),
    ("bundle.leaf", WARNING, "The trust bundle holds a certificate that is no CA's but a peer's",
     ("Take it out and name its CA: a leaf in the bundle does not pin, every certificate of its CA passes."
      " To admit single clients use `allow`; a self-signed peer may be listed in allow_pinned.")),
    ("bundle.not_a_ca", WARNING, "The trust bundle holds a certificate that is never used as an issuer",
     "Give the CA's own certificate (basic constraints CA:TRUE, key usage keyCertSign)."),
    ("bundle.expired", WARNING, "The trust bundle holds an expired certificate",
     "Take it out of the sources."),
    ("bundle.empty", ERROR, "The trust bundle holds no usable certificate",
     "Give at least one CA certificate that is valid now."),
    ("bundle.same_subject_other_key", WARNING, "Two CAs in the bundle have one name and different keys",
     "Give each CA generation a name of its own."),
    ("crl.expired", ERROR, "A CRL is past its next update: every client of that CA is refused",
     "Renew the CRL."),
    ("crl.missing_for_ca", ERROR, "A CA has no CRL: every client of it is refused",
     "Add a CRL for each CA of the chain, the root included."),
    ("crl.no_key_identifier", WARNING, "A CRL has no authority key identifier",
     "Have it made with one: without it, of two CAs of one name only the first CRL is used."),
    ("crl.signature_invalid", ERROR, "A CRL is not signed by the CA whose name it carries",
     "Fetch the CRL again from that CA."),
    ("crl.not_yet_valid", ERROR, "A CRL is from the future: every client of that CA is refused",
     "Check the clock of this host."),
    ("crl.not_allowed", ERROR, "A CA that may not sign CRLs has signed one",
     "Have the CA's certificate issued with the key usage cRLSign."),
    ("crl.delta", ERROR, "A delta CRL stands where a complete one should be",
     ("Take it out and give the CA's complete CRL: OpenSSL of before July 2026 uses it as a complete one, so"
      " that those pass who were revoked earlier.")),
    ("crl.indirect", ERROR, "An indirect CRL stands where the CA's own should be",
     "Give the CRL that the CA itself signs; nginx does not use indirect CRLs."),
    ("crl.partial", ERROR, "A CRL speaks of some certificates or reasons only",
     "Give the CA's complete CRL, without an issuing distribution point."),
    ("crl.unknown_critical", ERROR, "A CRL has a critical extension that OpenSSL does not know",
     "Have the CRL made without that extension, or with it not critical."),
    ("crl.invalid_extension", WARNING, "A CRL has an unreadable extension, which OpenSSL passes over",
     "Have the CRL made again: what the extension says is lost."),
    ("crl.unreadable_date", ERROR, "A date of a CRL cannot be read",
     "Have the CRL made again; OpenSSL refuses it as it is."),
    ("crl.revoked", ERROR, "The certificate is revoked",
     "Have a new certificate issued for a new key."),
    ("crl.foreign", WARNING, "A CRL is of a CA that the trust bundle does not have",
     ("Add that CA's certificate to `trust`, also that of an intermediate which clients send themselves; else"
      " leave its CRL out with `on_foreign: drop`.")),
    ("crl.ends_soon", WARNING, "A CRL ends soon, and then every client of that CA is refused",
     "Renew the CRL, or lower `min_hours` for a CA that makes short-lived ones."),
    ("crl.superseded", INFO, "A newer CRL of the same CA is there",
     "Take the older one out of the sources."),
    ("file.permissions", WARNING, "A file with a private key can be read by others",
     "Set its mode to 0600 and its owner to root."),
    ("file.missing", ERROR, "There is no such file",
     "Give the path of a file on this host."),
    ("file.not_regular", ERROR, "It is not a regular file",
     "Give the path of a regular file; nginx would wait for ever or fail."),
    ("file.unreadable", ERROR, "The file cannot be read",
     "Look at the permissions of the file and of the directories above it, and at its symbolic links."),
    ("file.too_large", ERROR, "The file is larger than any certificate, bundle or CRL",
     "Give the right file."),
    ("server.default_governs", ERROR, "A default server of another configuration governs this address",
     "Change the line named, or take `default_server` off that block."),
    ("server.name_taken", ERROR, "A block of the release never answers for one of its names",
     "Take the name, or the address, off one of the two blocks."),
    ("server.name_hidden", WARNING, "A block of another configuration no longer answers for one of its names",
     "Take the name, or the address, off one of the two blocks."),
    ("server.tls_repeated", ERROR, "A line of tls.conf is repeated in the same block",
     "Remove the line: the option of the credential sets it."),
    ("server.tls_overridden", ERROR, "A line of tls.conf is overridden in a block below",
     "Remove the line, or give the block an address and upstream of its own outside the release."),
    ("server.tls_command", ERROR, "An OpenSSL command may replace what a tls.conf says",
     "Remove the line, or put it into the server block that needs it."),
    ("server.headers_dropped", ERROR, "In a location of a site clients could forge the identity headers",
     "Write that proxy_set_header beside the location, in the lines of extra_server themselves."),
    ("server.headers_passed", ERROR, "A location of a site passes on identity headers that clients send",
     "Give that application a server block of its own on 127.0.0.1, and use proxy_pass to it here."),
    ("server.unverified_clients", WARNING, "A site lets in clients whose certificate nobody has verified",
     "Say verify: on or optional, or let the backend refuse whom X-SSL-Client-Verify does not call SUCCESS."),
    ("server.other_trust_admitted", WARNING, "Clients of another trust get in by the default server",
     ("Give the address and port a default server with ssl_reject_handshake on, ssl_session_cache off and"
      " ssl_session_tickets off, or the same trust, CRL and depth to all blocks there.")),
    ("server.sessions_outlive_trust", WARNING, "Sessions of clients outlive a change of trust or CRL",
     ("Set ssl_session_cache off and ssl_session_tickets off in the default server of that address, and no"
      " ssl_session_ticket_key; or rename the zone of the cache with each change.")),
    ("server.trust_inherited", WARNING, "A server block inherits trust or a CRL from the http level",
     'Write ssl_trusted_certificate and ssl_crl in the server block itself, "" where it shall have none.'),
    ("server.identity_lost", WARNING, "A backend does not learn who the client is",
     ("Repeat all proxy_set_header lines in a location that has one of its own, and set ssl_verify_client"
      " on.")),
    ("server.backend_unguarded", WARNING, "A block beside a site leads to its backend without a certificate",
     ("Give the address and port a default server with ssl_reject_handshake on, or return 421; and let each"
      " block that leads there verify clients.")),
    ("server.verify_changed", ERROR, "A site does not ask for client certificates as its own text says",
     "Remove the line, or say `ssl_verify_client on;` in the site itself (verify: on)."),
    ("proxy.not_verified", WARNING, "The certificate of an upstream is not verified",
     "Set proxy_ssl_verify on, proxy_ssl_trusted_certificate and proxy_ssl_name (or those of grpc, uwsgi)."),
    ("proxy.open_listener", WARNING, "Anybody may use this host's client certificate by plain HTTP",
     "Let it listen on 127.0.0.1 or a unix socket, or with TLS and a check of its callers."),
    ("proxy.identity_shared", WARNING, "Locations of different identities share connections to one upstream",
     "Give each client certificate and each setting of verification an upstream block of its own."),
    ("proxy.name_mismatch", WARNING, "The name that an upstream's certificate is compared with cannot match",
     "Set proxy_ssl_name (of grpc and uwsgi likewise) to a DNS name of that certificate."),
    ("proxy.sni_off", INFO, "No server name is sent to an upstream",
     "Set proxy_ssl_server_name on (of grpc and uwsgi likewise)."),
    ("tls.variable_certificate", INFO, "A certificate is read for each connection",
     "See that the user of the worker processes can read it; or name a file without a variable."),
    ("tls.file_newer_than_loaded", WARNING, "A file was changed since nginx has read it",
     "Reload nginx, and look whether it did: nginx -t, then the start time of its workers."),
    ("include.absolute", ERROR, "nginx includes the live release by an absolute path",
     "Write the include relative: include mtls/current/mtls.conf;"),
    ("include.missing", ERROR, "nginx does not read conf.d/mtls.conf",
     "Add `include conf.d/*.conf;` to the http block of nginx.conf."),
    ("rollback.trust_older", ERROR, "That release has older trust or an older CRL than the live one",
     "Rotate forward instead: going back would admit what was revoked or retired."),
    ("nginx.configuration_refused", ERROR, "nginx refuses its configuration as it is on disk",
     "Mend what nginx names: it goes on with the old one until it is restarted, and then it does not start."),
    ("nginx.configuration_unread", ERROR, "The configuration of nginx cannot be read here",
     "Write the line named in nginx's plain syntax, or report it with that line."),
    ("nginx.upgrade_in_flight", ERROR, "Two nginx masters run: a binary upgrade is in flight",
     "Finish or abandon the upgrade, then run again."),
    ("nginx.many_masters", ERROR, "Several nginx masters read one configuration",
     "Stop those that are not wanted, then run again."),
    ("nginx.master_stopped", ERROR, "nginx's master process is stopped (SIGSTOP)",
     "Let it go on (kill -CONT) or restart nginx, then run again."),
    ("nginx.open_files", ERROR, "nginx may open too few files for a reload",
     "Raise LimitNOFILE of its unit and worker_rlimit_nofile, restart nginx, then run again."),
    ("nginx.trial_not_run", WARNING, "No private nginx tried the new credentials before the switch",
     "Mend what nginx names; until then only the proof after the switch asks nginx itself."),
    ("nginx.orphan_workers", ERROR, "Workers of a dead nginx master still serve",
     "End them, start nginx, then run again."),
    ("edge.not_allowed", ERROR, "Server A's allowlist does not have the client",
     "Add the client to the site's `allow`, a new certificate beside the old one, or take the route away."),
    ("edge.probe_identity", ERROR, "A client of a Server A is the probe identity of some Server A",
     "Give Server B a certificate of its own: A's probe identity may ask the probe path and nothing else."),
    ("edge.curve", ERROR, "A site without TLS 1.3 does not have the curve of a client's key",
     "Add TLSv1.3 or the curve to the site's `tls_profile`, or give Server B a key on one of its curves."),
    ("edge.no_site", ERROR, "A site is taken away that a route still asks for",
     "First the new name or listen beside the old one, then the routes, then the old one out."),
    ("audit.unreachable", ERROR, "A host could not be reached, so nothing is known of it",
     "Make it reachable (ansible HOST -m ansible.builtin.ping), and run the audit again."),
    ("audit.failed", ERROR, "A host was reached and could not be read",
     "Mend what the message names, such as become or the host's Python, and run the audit again."),
    ("audit.not_asked", INFO, "A host of the inventory is outside the run",
     "Run the audit without --limit to know about it."),
    ("audit.unproven", WARNING, "A run was cut off before the live release was proven",
     "Run site.yml with --limit of this host: it finishes or undoes what is left, and proves the result."),
    ("audit.inventory_refused", WARNING, "The inventory's variables make no model, so no edge is known",
     "Mend what the message names; ansible-playbook site.yml --check says the same."),
    *endpoint_catalogue.ROWS,
)
# fmt: on


@dataclass(frozen=True)
class Finding:
    """One problem. *message* is a sentence without any secret, *place* a file and line, or host and port.

    *harmless* says that the fault does not stop nginx or the other side here (the path verifies all the
    same, nothing is verified, or nginx reads the block): it lowers an ``error`` to a ``warning`` in the
    areas chain, purpose, crl and format; elsewhere the severity is fixed by the code.
    Raises KeyError for a code that is not in the catalogue.
    """

    code: str
    message: str
    place: str = ""
    harmless: bool = False

    def __post_init__(self) -> None:
        CATALOGUE[self.code]

    @property
    def severity(self) -> str:
        severity = CATALOGUE[self.code].severity
        if self.harmless and severity == ERROR and self.code.split(".")[0] in _DEPENDS_ON_EFFECT:
            return WARNING
        return severity

    @property
    def remedy(self) -> str:
        return CATALOGUE[self.code].remedy

    def to_dict(self) -> dict[str, Any]:
        """The form that modules return."""
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "remedy": self.remedy,
            "place": self.place,
        }
