# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``ssl_conf_command`` and ``proxy_ssl_conf_command``: which of them leave alone what a tls.conf says.

nginx runs them after all its own directives (ngx_ssl_conf_commands, src/event/ngx_event_openssl.c). So
``VerifyCAFile`` replaces the trust and drops the CRL, ``Options SessionTicket`` brings sessions back, without
a word of ``nginx -t``. Named here is what does not; what is not named may undo something.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .nginx_conf import Directive

#: SSL_CONF_cmd(3); commands of a file are compared without case there. Both protocols only narrow what
#: ``ssl_protocols`` allows.
_COMMANDS = frozenset(
    "ciphersuites clientsignaturealgorithms curves dhparameters ecdhparameters groups maxprotocol minprotocol"
    " recordpadding signaturealgorithms".split()
)
_OPTIONS = frozenset("ktls -ktls norenegotiation prioritizechacha serverpreference -sessionticket".split())


def harmless(item: Directive) -> bool:
    """Of one of the two directives: whether it can change nothing that a tls.conf says."""
    command = item.args[0].lower() if item.args else ""
    if command == "options":
        return all(option.strip().lower() in _OPTIONS for option in ",".join(item.args[1:]).split(","))
    return command in _COMMANDS


def governing(name: str, blocks: Sequence[Directive]) -> Iterator[Directive]:
    """Those that are in force in the last of *blocks*, which lie in each other: a block with one of its own
    inherits none (ngx_conf_merge_ptr_value)."""
    for block in reversed(blocks):
        own = block.children(name)
        if own:
            yield from own
            return
