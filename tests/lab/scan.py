# Copyright (c) 2026 The mutual_tls.nginx maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make scan`: what scanners of others say of each TLS profile and each template, on each nginx.

Three hosts are both Server A and Server B, brought up by site.yml with a site and a route for each variant of
the templates. sslyze holds each profile against Mozilla's guidelines, one's own against itself; gixy reads
the whole configuration. Ends with a table, and with 0 only where each finding is explained below and each
explanation is of a finding. MTLS_SCAN_KEEP leaves the hosts.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from pki import CLIENT, Authority

# Each in an environment of its own: what they need does not go together with what the project has.
SSLYZE, GIXY = "sslyze==6.3.1", "gixy-next==0.9.0"

#: What is not of this collection: nginx.conf (`<stdin>` to gixy), the distribution's own site.
OTHERS = "(files of others)"


class Reason(NamedTuple):
    """Why what a tool finds is none; *subject* and *text* are regular expressions for the whole of both."""

    tool: str
    subject: str
    text: str
    why: str

    def holds(self, tool: str, subject: str, text: str) -> bool:
        alike = re.fullmatch(self.subject, subject) and re.fullmatch(self.text, text)
        return self.tool == tool and bool(text) and alike is not None


EXPLAINED = (
    Reason(
        "sslyze",
        "intermediate|modern",
        r"tls_curves: TLS curves {'X448', 'secp521r1'} are supported, but should be rejected\.",
        "The profiles name no curves, so OpenSSL's own hold: the guideline's three, X25519MLKEM768 where"
        " OpenSSL has it, and these two, which are no weaker. A list would take away what is new, and"
        " certificates with keys on P-521 (TLS 1.2 holds them against it); beside a default server of the"
        " user's, whose curves govern, it would be refused. A profile of one's own may have `curves`.",
    ),
    Reason(
        "guideline",
        "intermediate|modern",
        "curves left out: X25519, prime256v1, secp384r1",
        "Left to OpenSSL, which has all of them; see what sslyze says of curves.",
    ),
    Reason(
        "guideline",
        "intermediate",
        "ciphers left out: DHE-RSA-[A-Z0-9-]+, DHE-RSA-[A-Z0-9-]+, DHE-RSA-[A-Z0-9-]+",
        "They need a file of DH parameters, and are the guideline's last choice.",
    ),
    Reason(
        "gixy",
        "server/(sites|default)|proxy/listeners",
        r"version_disclosure: Missing `server_tokens`; default is `on`, which enables version disclosure\.",
        "The http level's, and the user's: Debian 13 has it off in nginx.conf, Debian 12 has not."
        " `extra_server` takes it for one site.",
    ),
    Reason(
        "gixy",
        "server/default",
        "http2_misdirected_request: default_server with ssl_reject_handshake on .*",
        "`return 421` stands at the level of the block and ends each request before a location is looked"
        " for; tests/live/test_server.py sees the 421 by HTTP/2.",
    ),
    Reason(
        "gixy",
        "proxy/listeners",
        r"stale_dns_cache: The proxy_pass directive should use a variable for the hostname\.",
        "It leads to an upstream of the release, whose names nginx looks up at each load; `resolve` needs"
        " 1.27.3 and a resolver. Whoever has an old address by then has neither A's key nor its name: 502,"
        " and no request.",
    ),
    Reason(
        "gixy",
        "server/sites|proxy/listeners",
        r"proxy_buffering_off: `proxy_buffering` is set to `off`\.",
        "That is `streaming`, off unless a site or route asks for it.",
    ),
    Reason("gixy", re.escape(OTHERS), ".*", "The distribution's; nothing of others is edited."),
)

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
STATE = Path(os.environ.get("LAB_STATE", ROOT / ".cache")) / "scan"
PROJECT, OWN_GUIDELINE = STATE / "project", STATE / "own.json"
BIN = ROOT / ".venv" / "bin"
LAB, BASE = "scan", "/etc/nginx/mtls"
HOSTS = {"a1.example.com": "bookworm", "a2.example.com": "trixie", "a3.example.com": "sid"}
OWN = {
    "protocols": ["TLSv1.2", "TLSv1.3"],
    "ciphers": ["ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"],
    "prefer_server_ciphers": True,
    "curves": ["X25519", "prime256v1"],
}
OWN_IANA = [
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
]
#: Site → its port and its options: a variant of the templates each.
SITES: dict[str, tuple[int, dict[str, Any]]] = {
    "intermediate": (443, {}),
    "neighbour": (443, {"credential": "other"}),
    "modern": (8001, {"tls_profile": "modern"}),
    "own": (8002, {"tls_profile": "own"}),
    "http2": (8003, {"http2": True}),
    "sessions": (8004, {"credential": "kept"}),
    "optional": (8005, {"verify": "optional"}),
    "optional-no-ca": (8006, {"verify": "optional_no_ca"}),
    "allow": (8007, {"allow": [{"dn": "CN=b1"}, {"issuer": "CN=x", "serial": "1F"}, {"sha1": "ab" * 20}]}),
    "headers": (8008, {"headers": {"certificate": "X-Client-Cert", "subject": "X-Who"}}),
    "pages": (8009, {"error_pages": {code: {"src": "page.html"} for code in ("400", "495", "496")}}),
    "limits": (
        8010,
        {
            "max_body_size": "1m",
            "timeouts": {"connect": "2s", "send": "9s", "read": "9s"},
            "response_headers": {"Strict-Transport-Security": "max-age=63072000"},
        },
    ),
    "websocket": (8011, {"websocket": True}),
    "streaming": (8012, {"streaming": True}),
    "unix": (8013, {"backend": "unix:/run/app.sock"}),
    "backends": (
        8014,
        {"backend": {"servers": ["127.0.0.1:8000", "127.0.0.1:8001"], "max_fails": 0, "keepalive": 0}},
    ),
    "extra": (
        8015,
        {
            "extra_server": "server_tokens off; location /more/ { proxy_pass http://127.0.0.1:8000; }",
            "extra_location": "proxy_hide_header X-Powered-By;",
        },
    ),
    "proxy-protocol": (8016, {"proxy_protocol": True}),
}
ROUTES: dict[str, dict[str, Any]] = {
    "plain": {"listen": "127.0.0.1:9001"},
    "by-path": {"listen": "127.0.0.1:9001", "path": "/more/", "credential": "second"},
    "wide": {
        "listen": "127.0.0.1:9002",
        "websocket": True,
        "streaming": True,
        "max_body_size": "9m",
        "timeouts": {"connect": "2s", "send": "9s", "read": "9s"},
        "retry_non_idempotent": True,
    },
    "no-pool": {"listen": "127.0.0.1:9003", "keepalive": 0},
    "failover": {
        "listen": "127.0.0.1:9004",
        "servers": ["a1.example.com:443", {"address": "a2.example.com:443", "backup": True}],
        "max_fails": 1,
    },
    "callers": {"listen": "9005", "allow": ["192.0.2.0/24"], "deny": ["198.51.100.0/24"]},
    "original": {"listen": "127.0.0.1:9006", "accept_client_certificate_from": ["127.0.0.2"]},
}
#: What `release` writes beside its base.
ENTRIES = ("/etc/nginx/conf.d/mtls.conf", "/etc/nginx/modules-enabled/mtls.conf")
#: Whose files are variants of one template.
FOLDERS = ("server/sites", "proxy/listeners", "proxy/routes")
#: Site → what sslyze holds it against; the others differ in nothing that TLS sees.
PROFILES = {
    "intermediate": "intermediate",
    "modern": "modern",
    "own": "own",
    "http2": "intermediate",
    "sessions": "intermediate",
}
SCANS = (
    "certinfo reneg robot sslv2 sslv3 tlsv1 tlsv1_1 tlsv1_2 tlsv1_3 ems fallback heartbleed openssl_ccs"
    " compression elliptic_curves resum early_data"
)


class Finding(NamedTuple):
    """*text* is empty where there is none. *variant*: of the template, or a site with the profile."""

    tool: str
    subject: str
    text: str
    variant: str
    nginx: str


def variables() -> dict[str, Any]:
    """The group's, as a user writes them."""
    sites = [
        {
            "name": name,
            "server_names": [f"{name}.example.com"],
            "listen": [str(port)],
            "credential": "server",
            **more,
        }
        for name, (port, more) in SITES.items()
    ]
    usual = {
        "servers": ["a1.example.com:443"],
        "server_name": "intermediate.example.com",
        "credential": "client",
    }
    return {
        "mtls_server_tls_profiles": {"own": OWN},
        "mtls_server_credentials": [
            {"name": "server", "hostnames": ["*.example.com"]},
            {"name": "other", "hostnames": ["*.example.com"]},
            {"name": "kept", "hostnames": ["*.example.com"], "sessions": "shared"},
        ],
        "mtls_server_sites": sites,
        "mtls_proxy_credentials": [{"name": "client"}, {"name": "second"}],
        "mtls_proxy_routes": [{"name": name, **usual, **more} for name, more in ROUTES.items()],
    }


def run(*command: str | Path, stdin: str = "", codes: Iterable[int] = (0,), **variables: str) -> str:
    """What a command prints; ends the scan where its exit code is none of *codes*."""
    done = subprocess.run(
        list(map(str, command)),
        cwd=PROJECT,
        env={**os.environ, **variables},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode not in codes:
        sys.exit(f"{' '.join(map(str, command))}: code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def tool(requirement: str, *command: str | Path, stdin: str = "", codes: Iterable[int] = (0, 1)) -> str:
    """Both tools end with 1 where they found something."""
    return run(
        BIN / "uvx", "--python", BIN / "python", "--from", requirement, *command, stdin=stdin, codes=codes
    )


def lab(*arguments: str) -> str:
    return run(sys.executable, HERE / "hosts.py", *arguments, "--definition", STATE / "hosts.json")


class Host:
    """One of the hosts, and what its nginx is."""

    def __init__(self, name: str, container: str) -> None:
        self.name, self.container = name, container
        built = self.on("sh", "-c", "nginx -V 2>&1")
        # OpenSSL is there twice where it runs with another one than it was built with.
        found = re.findall(r"(?:nginx/|OpenSSL )([0-9.]+)", built)
        self.nginx = f"{found[0]}/{found[-1]}"
        address = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
        self.address = run("podman", "inspect", "--format", address, container).split()[0]

    def on(self, *command: str) -> str:
        return run("podman", "exec", self.container, *command)


def bring_up() -> list[Host]:
    shutil.rmtree(STATE, ignore_errors=True)  # there may be none
    PROJECT.mkdir(parents=True)
    hosts = {name: {"image": image, "backend": True} for name, image in HOSTS.items()}
    (STATE / "hosts.json").write_text(json.dumps(hosts))
    (PROJECT / "page.html").write_text("<p>No.</p>\n")
    children = {group: {"hosts": dict.fromkeys(HOSTS)} for group in ("mtls_servers", "mtls_proxies")}
    (PROJECT / "inventory.yml").write_text(json.dumps({"all": {"children": children, "vars": variables()}}))
    lab("up", LAB)
    (PROJECT / "lab.json").write_text(lab("inventory", LAB))
    run(
        BIN / "ansible-playbook",
        *("-i", "inventory.yml", "-i", "lab.json", "mutual_tls.nginx.site"),
        ANSIBLE_COLLECTIONS_PATH=str(ROOT / ".cache"),
        ANSIBLE_PIPELINING="1",
    )
    reached = json.loads((PROJECT / "lab.json").read_text())["all"]["hosts"]
    return [Host(name, reached[name]["lab_container"]) for name in HOSTS]


# -- sslyze


def guidelines() -> dict[str, Any]:
    """Mozilla's, version 5.7, by the file that sslyze has."""
    read = (
        "import pathlib, sslyze.mozilla_tls_profile as here;"
        "print((pathlib.Path(here.__file__).parent / '5.7.json').read_text())"
    )
    found: dict[str, Any] = json.loads(tool(SSLYZE, "python", "-c", read))["configurations"]
    return found


def compare_profiles(given: dict[str, Any]) -> Iterator[Finding]:
    """The data of the role beside that of the guidelines."""
    variables = yaml.safe_load((ROOT / "roles" / "mtls_server" / "vars" / "main.yml").read_text())
    for name, ours in variables["__mtls_server_tls_profiles"].items():
        theirs = given[name]
        texts = []
        for key, here, there in (
            ("protocols", ours["protocols"], theirs["tls_versions"]),
            ("ciphers", ours["ciphers"], theirs["ciphers"]["openssl"]),
            ("curves", ours["curves"], theirs["tls_curves"]),
        ):
            more, less = set(here) - set(there), set(there) - set(here)
            texts += [f"{key} added: {', '.join(sorted(more))}"] if more else []
            texts += [f"{key} left out: {', '.join(sorted(less))}"] if less else []
        if ours["prefer_server_ciphers"] != theirs["server_preferred_order"]:
            texts.append("prefer_server_ciphers differs")
        for text in texts or [""]:
            yield Finding("guideline", name, text, name, "")


def own_guideline(given: dict[str, Any]) -> None:
    """Mozilla's intermediate profile with what `own` says in its place, as sslyze takes it."""
    own = json.loads(json.dumps(given["intermediate"]))
    own.update(tls_versions=OWN["protocols"], tls_curves=OWN["curves"])
    own["ciphers"].update(openssl=OWN["ciphers"], iana=OWN_IANA)
    OWN_GUIDELINE.write_text(json.dumps(own))


def sslyze(hosts: list[Host], sites: Iterable[str], guideline: str) -> dict[str, dict[str, Any]]:
    """{"SITE HOST": {"issues": {rule: words}, "result": sslyze's own}}."""
    root = PROJECT / "private_ca" / "generations" / "1" / "root.pem"
    Authority.read(root, root.with_suffix(".key")).leaf(STATE / "client", "CN=scan", CLIENT)
    own = f"--custom_tls_config={OWN_GUIDELINE}"
    which = own if guideline == "own" else f"--mozilla_config={guideline}"
    out, found = STATE / "sslyze.json", {}
    for host in hosts:
        targets = {f"{name}.example.com:{SITES[name][0]}": name for name in sites}
        said = tool(
            SSLYZE,
            *("sslyze", which, f"--json_out={out}", f"--certinfo_ca_file={root}"),
            *(f"--cert={STATE / 'client.pem'}", f"--key={STATE / 'client.key'}"),
            *(f"--{name}" for name in SCANS.split()),
            *(f"{target}{{{host.address}}}" for target in targets),
        )
        results = {
            f"{one['server_location']['hostname']}:{one['server_location']['port']}": one
            for one in json.loads(out.read_text())["server_scan_results"]
        }
        for target, name in targets.items():
            verdict = re.search(
                rf"^    {re.escape(target)}: (OK|FAILED) .*\n((?: {{8}}\* .*\n)*)", said, re.MULTILINE
            )
            if not verdict:
                sys.exit(f"sslyze gave no verdict on {target} of {host.name}:\n{said}")
            issues = re.findall(r"\* (\w+): (.*)", verdict[2])
            assert bool(issues) == (verdict[1] == "FAILED"), said
            found[f"{name} {host.name}"] = {"issues": dict(issues), "result": results[target]["scan_result"]}
    return found


def in_order(words: str) -> str:
    """Sets of Python, as sslyze prints them, have no order."""
    return re.sub(r"\{(.*?)\}", lambda one: "{" + ", ".join(sorted(one[1].split(", "))) + "}", words)


def beyond_the_guideline(site: str, result: dict[str, Any]) -> Iterator[str]:
    """What sslyze sees and holds against nothing: sessions, and data before the handshake ends."""
    resumed = result["session_resumption"]["result"]
    ways = ("session_id", "tls_ticket")
    never = ("NOT_SUPPORTED", "SERVER_IS_TLS_1_3_ONLY")
    works = {way for way in ways if resumed[f"{way}_resumption_result"] not in never}
    if works - ({"session_id"} if site == "sessions" else set()):
        yield f"sessions are resumed: {', '.join(sorted(works))}"
    if result["tls_1_3_early_data"]["result"]["supports_early_data"]:
        yield "early data is taken"


def scan_tls(hosts: list[Host]) -> Iterator[Finding]:
    given = guidelines()
    own_guideline(given)
    versions = {host.name: host.nginx for host in hosts}
    yield from compare_profiles(given)
    for guideline in sorted(set(PROFILES.values())):
        sites = [name for name, wanted in PROFILES.items() if wanted == guideline]
        for key, one in sslyze(hosts, sites, guideline).items():
            name, at = key.split()
            texts = [in_order(f"{rule}: {words}") for rule, words in one["issues"].items()]
            for text in [*texts, *beyond_the_guideline(name, one["result"])] or [""]:
                yield Finding("sslyze", guideline, text, name, versions[at])
    # The twin: it does tell one profile from another.
    control = sslyze(hosts[-1:], ["intermediate"], "modern")[f"intermediate {hosts[-1].name}"]
    if "tls_versions" not in control["issues"]:
        sys.exit(f"sslyze takes the intermediate profile for modern: {control['issues']}")


# -- gixy

#: Its own output is one entry for all places of a kind, with the first of them.
EACH_PLACE = """
import json, sys
from gixy.core.manager import Manager
with Manager() as manager:
    manager.audit("<stdin>", sys.stdin.buffer, is_stdin=True)
    if manager.errors:
        sys.exit(f"not read: {manager.errors}")
    print(json.dumps([
        [plugin.name, issue.reason or issue.description or plugin.description, issue.directives[0].file]
        for plugin in manager.results for issue in plugin.issues
    ]))
"""


def gixy(dump: str) -> list[tuple[str, str, str]]:
    """(plugin, words, file) of each place."""
    found = json.loads(tool(GIXY, "python", "-c", EACH_PLACE, stdin=dump, codes=(0,)))
    return [(plugin, words, file or "") for plugin, words, file in found]


def template_of(path: str) -> tuple[str, str]:
    """The template that made a file, and the variant of it."""
    found = re.fullmatch(rf"{BASE}/(?:releases/\w+|current)/(?:(.*)/)?(\w[\w-]*)\.conf", path)
    if path in ENTRIES:
        return "release", path
    if not found:
        return OTHERS, path
    folder, name = found[1] or "", found[2]
    credential = re.fullmatch(r"(\w+/credentials)/(.*)", folder)
    if credential:
        return credential[1], credential[2]
    if not folder:
        return "release", name
    return (folder, name) if folder in FOLDERS else (f"{folder}/{name}", name)


def scan_configuration(hosts: list[Host]) -> Iterator[Finding]:
    for host in hosts:
        dump = host.on("sh", "-c", "nginx -T 2>/dev/null")
        clean = set(map(template_of, re.findall(r"^# configuration file (\S+):$", dump, re.MULTILINE)))
        wanted = {("server/sites", name) for name in SITES} | {("proxy/routes", name) for name in ROUTES}
        if not wanted <= clean:
            sys.exit(f"{host.name}: not in the dump: {sorted(wanted - clean)}")
        for plugin, words, file in gixy(dump):
            template, variant = template_of(file)
            yield Finding("gixy", template, f"{plugin}: {words}", variant, host.nginx)
            clean.discard((template, variant))
        for template, variant in clean:
            if template != OTHERS:
                yield Finding("gixy", template, "", variant, host.nginx)
    # The twin: it reads the files of the release.
    broken = dump.replace("proxy_set_header Host $host;", "proxy_set_header Host $http_host;")
    seen = {template_of(file) for plugin, _words, file in gixy(broken) if plugin == "host_spoofing"}
    if not {("server/sites", name) for name in SITES} <= seen:
        sys.exit(f"gixy does not see a fault in each site of the release: {seen}")


# -- the table


def listed(names: set[str], all_names: set[str]) -> str:
    """Which of a template's variants, in few words."""
    rest = all_names - names
    if not rest:
        return f"all {len(names)}" if len(names) > 1 else ""
    if len(rest) < len(names):
        return f"all but {', '.join(sorted(rest))}"
    return ", ".join(sorted(names))


def alike(where: list[Finding]) -> dict[tuple[str, ...], list[str]]:
    """Variants, and the versions of nginx on which just these are meant."""
    names: dict[str, set[str]] = {}
    for one in where:
        names.setdefault(one.nginx, set()).add(one.variant)
    found: dict[tuple[str, ...], list[str]] = {}
    for nginx in sorted(names):
        found.setdefault(tuple(sorted(names[nginx])), []).append(nginx)
    return found


def table(found: list[Finding], every: list[str]) -> int:
    """Prints what was found, then the reasons; the exit code."""
    variants: dict[tuple[str, ...], set[str]] = {}
    places: dict[tuple[str, str, str], list[Finding]] = {}
    for one in found:
        variants.setdefault(one[:2], set()).add(one.variant)
        places.setdefault((one.tool, one.subject, one.text), []).append(one)
    rows = [("profile or template", "tool", "variants", "nginx/OpenSSL", "verdict")]
    used: list[Reason] = []
    wrong = 0
    for (tool, subject, text), where in sorted(places.items(), key=lambda one: (one[0][0] == "gixy", one[0])):
        entry = next((entry for entry in EXPLAINED if entry.holds(tool, subject, text)), None)
        if entry and entry not in used:
            used.append(entry)
        if entry:
            verdict = f"[{used.index(entry) + 1}] {text}"
        else:
            verdict = f"UNEXPLAINED {text}" if text else "none"
            wrong += bool(text)
        for names, versions in alike(where).items():
            told = "all" if list(versions) == every else ", ".join(versions)
            rows.append((subject, tool, listed(set(names), variants[tool, subject]), told, verdict))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        print("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[4]]))
    print(f"\nall: {', '.join(every)}; {SSLYZE}, {GIXY}")
    for number, entry in enumerate(used, 1):
        print(f"[{number}] {entry.why}")
    stale = [entry for entry in EXPLAINED if entry not in used]
    for entry in stale:
        print(f"STALE: nothing is found that this explains: {entry}")
    return 1 if wrong or stale else 0


def main() -> int:
    try:
        hosts = bring_up()
        found = [*scan_tls(hosts), *scan_configuration(hosts)]
        return table(found, [host.nginx for host in hosts])
    finally:
        if not os.environ.get("MTLS_SCAN_KEEP") and PROJECT.exists():
            run(sys.executable, HERE / "hosts.py", "down", LAB)


if __name__ == "__main__":
    sys.exit(main())
