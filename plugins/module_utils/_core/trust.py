# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The trust settings that a `TRUSTED CERTIFICATE` block brings along (crypto/x509/x509_trust.c).

nginx reads them in its bundle: they may end a path at an intermediate, lift its extended key usage, or
reject it.
"""

from __future__ import annotations

from .certificate import ANY, CLIENT, SERVER, CertificateFacts

TRUSTED = "trusted"
REJECTED = "rejected"
SILENT = "silent"

_ANY_USE = "2.5.29.37.0"
_USES = {SERVER: "1.3.6.1.5.5.7.3.1", CLIENT: "1.3.6.1.5.5.7.3.2", ANY: _ANY_USE}


def explicit(cert: CertificateFacts, purpose: str) -> str:
    """What the settings say of *purpose* (obj_trust): one that is rejected is rejected, one that is not among
    those trusted as well; SILENT where there are none, and a self-signed certificate is then an anchor."""
    wanted = {_ANY_USE, _USES.get(purpose, _ANY_USE)}
    if cert.rejected_for is not None and wanted & set(cert.rejected_for):
        return REJECTED
    if cert.trusted_for is None:
        return SILENT
    return TRUSTED if wanted & set(cert.trusted_for) else REJECTED
