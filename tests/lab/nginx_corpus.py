# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configurations of nginx as people have them, by name: the files below /etc/nginx, the main one first.

Certificates lie in /etc/nginx/pki. Those of NEEDS_A_MODULE are no part of the hosts of the lab.
"""

from __future__ import annotations

PKI = "/etc/nginx/pki"
_MAIN = "events { worker_connections 256; }\n"

TUTORIAL_A = f"""\
{_MAIN}http {{
    server {{
        listen 443 ssl;
        server_name api.example.com;
        ssl_certificate     pki/server.pem;
        ssl_certificate_key pki/server.key;
        # the CA that signs our clients
        ssl_client_certificate {PKI}/clients-ca.pem;
        ssl_verify_client on;
        location / {{
            proxy_set_header X-SSL-Client-S-DN $ssl_client_s_dn;
            proxy_pass http://127.0.0.1:8000;
        }}
    }}
}}
"""

TUTORIAL_B = f"""\
{_MAIN}http {{
    upstream backend {{
        server 127.0.0.1:443;
        server 192.0.2.2;
        server [2001:db8::1]:8443 backup;
        keepalive 16;
    }}
    server {{
        listen 8080;
        location / {{
            proxy_pass https://backend;
            proxy_ssl_certificate     {PKI}/b.pem;
            proxy_ssl_certificate_key {PKI}/b.key;
        }}
        location /checked/ {{
            proxy_pass https://backend/api/;
            proxy_ssl_certificate     {PKI}/b.pem;
            proxy_ssl_certificate_key {PKI}/b.key;
            proxy_ssl_trusted_certificate {PKI}/servers-ca.pem;
            proxy_ssl_verify on;
            proxy_ssl_verify_depth 2;
            proxy_ssl_server_name on;
            proxy_ssl_name api.example.com;
            proxy_set_header Host api.example.com;
        }}
    }}
}}
"""

DEBIAN = {
    "nginx.conf": """\
user www-data;
worker_processes auto;
pid /run/nginx.pid;
error_log /var/log/nginx/error.log;
include /etc/nginx/modules-enabled/*.conf;
events { worker_connections 768; }
http {
    sendfile on; tcp_nopush on;
    types_hash_max_size 2048;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:SSL:10m;
    ssl_session_tickets off;
    access_log /var/log/nginx/access.log;
    gzip on;
    include /etc/nginx/conf.d/*.conf;
    include /etc/nginx/sites-enabled/*;
}
""",
    "conf.d/headers.conf": 'map $http_upgrade $connection_upgrade { default upgrade; "" close; }\n',
    "snippets/tls.conf": """\
ssl_certificate /etc/nginx/pki/server.pem;
ssl_certificate_key /etc/nginx/pki/server.key;
""",
    "sites-enabled/00-default": """\
server { listen 80 default_server; listen [::]:80 default_server; server_name _; return 301 https://$host; }
server {
    listen 443 ssl default_server;
    listen [::]:443 ssl default_server;
    server_name _;
    include snippets/tls.conf;
    return 444;
}
""",
    "sites-enabled/api": """\
server {
    listen 443 ssl;
    listen [::]:443 ssl;
    server_name api.example.com www.example.com;
    include snippets/tls.conf;
    ssl_client_certificate pki/clients-ca.pem;
    ssl_verify_client optional;
    ssl_verify_depth 3;
    error_log /var/log/nginx/api.error.log info;
    if ($ssl_client_verify != SUCCESS) { return 403; }
    location ~* "\\.(png|jpe?g){1,2}$" { root /srv; expires 30d; }
    location / { proxy_pass http://127.0.0.1:8000; }
}
""",
}

CERTBOT = {
    "nginx.conf": f"{_MAIN}http {{ include conf.d/*.conf; }}\n",
    "options-ssl-nginx.conf": """\
# This file is kept up to date by a program.
ssl_session_cache shared:le_nginx_SSL:10m;
ssl_session_timeout 1440m;
ssl_session_tickets off;
ssl_protocols TLSv1.2 TLSv1.3;
ssl_prefer_server_ciphers off;
ssl_ciphers "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256";
""",
    "conf.d/a.conf": """\
server {
    server_name a.example.com; # managed
    listen 443 ssl; # managed
    ssl_certificate /etc/nginx/live/a/fullchain.pem; # managed
    ssl_certificate_key /etc/nginx/live/a/privkey.pem; # managed
    include /etc/nginx/options-ssl-nginx.conf; # managed
    ssl_client_certificate /etc/nginx/pki/clients-ca.pem;
    ssl_crl /etc/nginx/pki/clients.crl;
    ssl_verify_client on;
    location / { return 204; }
}
server {
    if ($host = a.example.com) { return 301 https://$host$request_uri; } # managed
    listen 80;
    server_name a.example.com;
    return 404; # managed
}
""",
}

ONE_PORT = f"""\
{_MAIN}http {{
    ssl_certificate {PKI}/server.pem;
    ssl_certificate_key {PKI}/server.key;
    ssl_trusted_certificate {PKI}/servers-ca.pem;
    server {{
        listen 443 ssl; server_name first.example.com;
        ssl_client_certificate {PKI}/others-ca.pem; ssl_verify_client on; ssl_trusted_certificate "";
        return 200 "first $ssl_client_verify\\n";
    }}
    server {{
        listen 443; server_name second.example.com *.second.example.com;
        ssl_client_certificate {PKI}/clients-ca.pem; ssl_verify_client on;
        return 200 "second $ssl_client_verify\\n";
    }}
    server {{
        listen 127.0.0.1:443 ssl; server_name third.example.com;
        ssl_verify_client off;
        return 200 "third\\n";
    }}
}}
"""

INHERITED = f"""\
{_MAIN}http {{
    proxy_ssl_certificate {PKI}/b.pem;
    proxy_ssl_certificate_key {PKI}/b.key;
    proxy_ssl_trusted_certificate {PKI}/servers-ca.pem;
    proxy_ssl_verify on;
    proxy_set_header Host outer.example.com;
    server {{
        listen 127.0.0.1:8081;
        server_name b.example.com;
        proxy_ssl_verify_depth 3;
        location / {{
            proxy_pass https://127.0.0.1:443;
            proxy_ssl_name api.example.com;
            location /inner/ {{
                proxy_ssl_verify OFF;
                proxy_set_header X-Y z;
                proxy_pass https://127.0.0.1:443/x/?y=1;
            }}
            limit_except GET {{
                proxy_pass https://127.0.0.1:8443;
            }}
            if ($request_method = POST) {{
                proxy_pass https://127.0.0.1:9443;
            }}
        }}
        location = /plain {{ proxy_pass http://127.0.0.1:8000; }}
        location @named {{
            proxy_ssl_certificate {PKI}/c.pem; proxy_ssl_certificate_key {PKI}/c.key;
            proxy_set_header Host $server_name;
            proxy_pass https://127.0.0.1;
        }}
    }}
}}
"""

VARIABLES = f"""\
{_MAIN}http {{
    resolver 127.0.0.1;
    map $http_x_tenant $tenant {{ default one; two two; }}
    server {{
        listen 127.0.0.1:8082;
        set $backend api.example.com;
        location /set/ {{
            proxy_pass https://$backend:8443$request_uri;
            proxy_ssl_certificate {PKI}/b.pem; proxy_ssl_certificate_key {PKI}/b.key;
        }}
        location /map/ {{
            proxy_ssl_certificate {PKI}/$tenant.pem; proxy_ssl_certificate_key {PKI}/$tenant.key;
            proxy_ssl_name $tenant.example.com; proxy_ssl_server_name on;
            proxy_pass https://$tenant.example.com;
        }}
        location /whole/ {{
            proxy_ssl_certificate {PKI}/b.pem; proxy_ssl_certificate_key {PKI}/b.key;
            proxy_pass $http_x_url;
        }}
    }}
    server {{
        listen 8445 ssl;
        ssl_certificate {PKI}/$ssl_server_name.pem; ssl_certificate_key {PKI}/$ssl_server_name.key;
        return 204;
    }}
}}
"""

SOCKETS = f"""\
{_MAIN}http {{
    ssl_certificate {PKI}/server.pem; ssl_certificate_key {PKI}/server.key;
    server {{ listen unix:/run/nginx-a.sock ssl; server_name u.example.com; return 204; }}
    server {{ listen 127.0.0.1:8446 ssl proxy_protocol; server_name p.example.com; return 204; }}
    server {{ listen 127.0.0.1:8450-8452 ssl; listen [::1]:8450 ssl; server_name r.example.com; return 204; }}
    server {{ listen 127.0.0.1:8451 default_server; server_name later.example.com; return 204; }}
    server {{ listen 127.0.0.1:8453 ssl default_server; ssl_reject_handshake on; }}
    server {{ server_name nothing.example.com; return 204; }}
}}
"""

GRPC = f"""\
{_MAIN}http {{
    upstream api {{ server 127.0.0.1:50051; }}
    server {{
        listen 127.0.0.1:8083;
        grpc_ssl_certificate {PKI}/b.pem; grpc_ssl_certificate_key {PKI}/b.key;
        grpc_ssl_trusted_certificate {PKI}/servers-ca.pem;
        location / {{ grpc_pass grpcs://api; grpc_ssl_verify on; }}
        location /u/ {{ uwsgi_pass suwsgi://127.0.0.1:9000; }}
    }}
}}
"""

NESTED = {
    "nginx.conf": f"{_MAIN}http {{\n    include parts/http.conf;\n}}\n",
    "parts/http.conf": "include parts/site-[ab].conf;\ninclude parts/none-*.conf;\n",
    "parts/site-a.conf": "server {\n    include parts/tls.conf;\n    server_name a.example.com;\n}\n",
    "parts/site-b.conf": "server {\n    server_name b.example.com;\n    include parts/tls.conf;\n}\n",
    "parts/site-c.conf": "server { broken\n",
    "parts/tls.conf": (
        "listen 443 ssl;\nssl_certificate pki/server.pem;\nssl_certificate_key pki/server.key;\n"
        "ssl_certificate pki/old.pem;\nssl_certificate_key pki/old.key;\nreturn 204;\n"
    ),
}

STREAM = f"""\
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
{_MAIN}stream {{
    upstream db {{ server 10.0.0.1:5432; server unix:/run/db.sock; }}
    ssl_verify_depth 2;
    server {{
        listen 5433 ssl;
        ssl_certificate {PKI}/server.pem; ssl_certificate_key {PKI}/server.key;
        ssl_client_certificate {PKI}/clients-ca.pem; ssl_verify_client on;
        proxy_pass 127.0.0.1:5432;
    }}
    server {{
        listen 127.0.0.1:5434;
        proxy_ssl on;
        proxy_ssl_certificate {PKI}/b.pem; proxy_ssl_certificate_key {PKI}/b.key;
        proxy_ssl_verify on; proxy_ssl_trusted_certificate {PKI}/servers-ca.pem;
        proxy_ssl_name db.example.com; proxy_ssl_server_name on;
        proxy_pass db;
    }}
}}
"""

LUA = f"""\
{_MAIN}http {{
    server {{
        listen 443 ssl;
        ssl_certificate {PKI}/server.pem; ssl_certificate_key {PKI}/server.key;
        ssl_certificate_by_lua_block {{
            local t = {{ a = "}}", b = {{ 1, 2 }} }}
            ngx.log(ngx.ERR, "x;y")
        }}
        location / {{ content_by_lua_block {{ ngx.say("hi") }} }}
    }}
}}
"""

CORPUS: dict[str, dict[str, str]] = {
    "debian": DEBIAN,
    "certbot": CERTBOT,
    "nested": NESTED,
    **{
        name: {"nginx.conf": text}
        for name, text in (
            ("tutorial A", TUTORIAL_A),
            ("tutorial B", TUTORIAL_B),
            ("one port", ONE_PORT),
            ("inherited", INHERITED),
            ("variables", VARIABLES),
            ("sockets", SOCKETS),
            ("grpc", GRPC),
            ("stream", STREAM),
            ("lua", LUA),
        )
    },
}
NEEDS_A_MODULE = ("lua",)

#: What nginx refuses, and what of its words comes through.
BROKEN: dict[str, tuple[str, str]] = {
    "a file that is not there": (
        TUTORIAL_A.replace("pki/server.pem", "pki/gone.pem"),
        'cannot load certificate "/etc/nginx/pki/gone.pem"',
    ),
    "no end": (TUTORIAL_A.rstrip()[:-1], 'unexpected end of file, expecting "}" in /etc/nginx/nginx.conf'),
    "an unknown directive": (
        TUTORIAL_A.replace("location /", "s3cr3t_word on; location /"),
        'unknown directive "…" in /etc/nginx/nginx.conf',
    ),
    "another key": (
        TUTORIAL_A.replace("pki/server.key", "pki/b.key"),
        'SSL_CTX_use_PrivateKey("/etc/nginx/pki/b.key") failed',
    ),
}
