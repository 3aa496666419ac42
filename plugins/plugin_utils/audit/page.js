"use strict";
// Filter, sort and folding. Without script the page has all of it open.
(() => {
  const all = (query, root = document) => [...root.querySelectorAll(query)];
  const root = document.documentElement;
  const tables = all("table.sortable");
  const words = new WeakMap();
  const open = new WeakSet();
  root.classList.add("script");

  const text = (row) => {
    // A word of a group's heading, such as a code, is one of each of its rows.
    const heading = row.closest(".group")?.querySelector("summary").textContent ?? "";
    if (!words.has(row)) words.set(row, `${row.dataset.text ?? row.textContent} ${heading}`.toLowerCase());
    return words.get(row);
  };
  const rows = (table) => all("[data-row]", table);
  const pressed = () => new Set(all("#severities [aria-pressed=true]").map((one) => one.dataset.severity));

  // A long table shows its first rows until somebody asks for all.
  const limit = (table) => {
    const shown = rows(table).filter((row) => !row.classList.contains("out"));
    const most = open.has(table) ? Infinity : Number(table.dataset.limit);
    shown.forEach((row, position) => row.classList.toggle("over", position >= most));
    const button = table.limit;
    button.hidden = shown.length <= most;
    button.textContent = `Show all ${shown.length} ${table.dataset.noun}`;
    const total = rows(table).length;
    table.shown.textContent = shown.length === total ? "" : `${shown.length} of ${total} ${table.dataset.noun}`;
  };

  const filter = () => {
    const wanted = document.getElementById("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
    const severities = pressed();
    const fits = (row) => wanted.every((word) => text(row).includes(word));
    for (const table of tables) {
      rows(table).forEach((row) => row.classList.toggle("out", !fits(row)));
      limit(table);
    }
    all(".group").forEach((group) => group.classList.toggle("out",
      !severities.has(group.dataset.severity) || !group.querySelector("[data-row]:not(.out)")));
    all(".matrix tr[data-text]").forEach((row) => row.classList.toggle("out", !fits(row)));
    const names = new Set(all("tbody[data-host]:not(.out)").map((one) => one.dataset.host));
    all(".grid a").forEach((one) => one.classList.toggle("out", !names.has(one.dataset.host)));
  };

  const value = (row, column) => {
    const cell = row.rows[0].cells[column];
    return cell.dataset.value ?? cell.textContent.trim();
  };
  const sort = (table, head) => {
    const column = head.cellIndex;
    const down = head.getAttribute("aria-sort") === "ascending";
    const number = head.dataset.kind === "number";
    const order = (a, b) => (number ? Number(a) - Number(b) : a.localeCompare(b, "en", { numeric: true }));
    const keyed = rows(table).map((row) => [value(row, column), row]);
    keyed.sort(([a], [b]) => (down ? order(b, a) : order(a, b)));
    all("thead th", table).forEach((one) => one.closest("table") === table && one.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    table.append(...keyed.map(([, row]) => row));
    limit(table);
  };

  const fold = (row, shut) => {
    row.querySelector(".more").setAttribute("aria-expanded", String(!shut));
    row.querySelector(".detail").classList.toggle("shut", shut);
  };
  const hosts = all("tbody[data-host]");

  for (const table of tables) {
    table.limit = Object.assign(document.createElement("button"), { type: "button", className: "limit" });
    table.shown = Object.assign(document.createElement("span"), { className: "shown" });
    table.parentElement.after(table.limit, table.shown);
    table.limit.addEventListener("click", () => { open.add(table); limit(table); });
    all(":scope > thead button", table).forEach((one) => one.addEventListener("click", () => sort(table, one.parentElement)));
  }
  hosts.forEach((row) => {
    fold(row, true);
    const more = row.querySelector(".more");
    more.addEventListener("click", () => fold(row, more.getAttribute("aria-expanded") === "true"));
  });
  document.getElementById("filter").addEventListener("input", filter);
  all("#severities button").forEach((one) => one.addEventListener("click", () => {
    one.setAttribute("aria-pressed", String(one.getAttribute("aria-pressed") !== "true"));
    filter();
  }));
  document.getElementById("open").addEventListener("click", () => hosts
    .filter((row) => !row.matches(".out, .over")).forEach((row) => fold(row, false)));
  document.getElementById("close").addEventListener("click", () => hosts.forEach((row) => fold(row, true)));

  // A link to a host opens it, wherever it is in the table.
  const follow = () => {
    const row = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!row || !row.matches("tbody[data-host]")) return;
    const table = row.closest("table");
    if (row.matches(".out")) { document.getElementById("filter").value = ""; filter(); }
    if (row.matches(".over")) { open.add(table); limit(table); }
    fold(row, false);
    row.scrollIntoView({ block: "center" });
  };
  addEventListener("hashchange", follow);

  // The choice is kept where the browser lets a file keep one.
  const themes = ["", "dark", "light"];
  const theme = (name) => { if (name) root.dataset.theme = name; else delete root.dataset.theme; };
  try { theme(localStorage.getItem("theme") || ""); } catch (error) { /* then not */ }
  document.getElementById("theme").addEventListener("click", () => {
    const next = themes[(themes.indexOf(root.dataset.theme || "") + 1) % themes.length];
    theme(next);
    try { localStorage.setItem("theme", next); } catch (error) { /* then not */ }
  });
  filter();
  follow();
})();
