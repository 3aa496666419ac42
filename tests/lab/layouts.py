# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shell scripts that make another layout out of Debian's nginx on a throw-away host, and start it.

NGINX_ORG: as the packages of nginx.org lay it out. UNPRIVILEGED: master and workers are one ordinary user,
with pid, logs and temporary files of its own; the one capability lets it listen on port 443. What ends in
_FILES lays down configuration and unit only, over whatever is there.
"""

from __future__ import annotations

_AWAY = """
set -e
systemctl reset-failed nginx || true
systemctl stop nginx
cd /etc/nginx
rm -rf sites-* modules-* snippets conf.d/* mtls /var/log/nginx /var/cache/nginx
# Debian's master drops to www-data by itself: a configuration that forgets its user would work by chance.
userdel www-data 2>/dev/null || true
"""
_USER = (
    "id -u {0} >/dev/null 2>&1 || useradd --system --user-group --no-create-home -s /usr/sbin/nologin {0}\n"
)
_START = """
systemctl daemon-reload
systemctl enable --now nginx
systemctl is-active nginx
"""


def _write(path: str, text: str) -> str:
    return f"mkdir -p $(dirname {path}); cat >{path} <<'END'\n{text}END\n"


NGINX_ORG_FILES = (
    _USER.format("nginx")
    + "install -d -o root -g adm /var/log/nginx\n"
    + _write(
        "/etc/nginx/nginx.conf",
        """\
user nginx;
worker_processes auto;
error_log /var/log/nginx/error.log notice;
pid /run/nginx.pid;
events { worker_connections 1024; }
http {
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    access_log /var/log/nginx/access.log;
    keepalive_timeout 65;
    include /etc/nginx/conf.d/*.conf;
}
""",
    )
    + _write(
        "/etc/nginx/conf.d/default.conf",
        "server {\n    listen 80;\n    server_name localhost;\n    location / { return 204; }\n}\n",
    )
    # In place of Debian's, not beside it: no drop-in is needed for such a host.
    + _write(
        "/etc/systemd/system/nginx.service",
        """\
[Unit]
After=network-online.target
[Service]
Type=forking
PIDFile=/run/nginx.pid
Environment="CONFFILE=/etc/nginx/nginx.conf"
EnvironmentFile=-/etc/default/nginx
ExecStart=/usr/sbin/nginx -p /etc/nginx -c ${CONFFILE}
ExecReload=/bin/sh -c "/bin/kill -s HUP $(/bin/cat /run/nginx.pid)"
ExecStop=/bin/sh -c "/bin/kill -s TERM $(/bin/cat /run/nginx.pid)"
[Install]
WantedBy=multi-user.target
""",
    )
)
NGINX_ORG = _AWAY + NGINX_ORG_FILES + _START

UNPRIVILEGED_FILES = (
    _USER.format("web")
    + _write(
        "/etc/nginx/nginx.conf",
        """\
worker_processes auto;
error_log /var/log/nginx/error.log notice;
pid /run/nginx/nginx.pid;
events { worker_connections 1024; }
http {
    include /etc/nginx/mime.types;
    access_log /var/log/nginx/access.log;
    client_body_temp_path /var/cache/nginx/client;
    proxy_temp_path /var/cache/nginx/proxy;
    fastcgi_temp_path /var/cache/nginx/fastcgi;
    uwsgi_temp_path /var/cache/nginx/uwsgi;
    scgi_temp_path /var/cache/nginx/scgi;
    include /etc/nginx/conf.d/*.conf;
}
""",
    )
    + _write(
        "/etc/systemd/system/nginx.service",
        """\
[Unit]
After=network-online.target
[Service]
User=web
AmbientCapabilities=CAP_NET_BIND_SERVICE
NoNewPrivileges=yes
RuntimeDirectory=nginx
CacheDirectory=nginx
LogsDirectory=nginx
ExecStart=/usr/sbin/nginx -g 'daemon off;'
ExecReload=/bin/kill -HUP $MAINPID
[Install]
WantedBy=multi-user.target
""",
    )
)
UNPRIVILEGED = _AWAY + UNPRIVILEGED_FILES + _START
