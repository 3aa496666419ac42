# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of molecule/multi have in common."""

from __future__ import annotations

# Two backends that take a connection, say nothing, and note that they were asked; and one that answers.
BACKENDS = r"""
server { listen 127.0.0.1:9001; access_log /var/log/nginx/mute-9001.log; return 444; }
server { listen 127.0.0.1:9002; access_log /var/log/nginx/mute-9002.log; return 444; }
server { listen 127.0.0.1:9003; return 200 "b\n"; }
"""
CONF = "/etc/nginx/conf.d/backends.conf"
