// A table that sorts, filters and hides columns; the address keeps the choice. Sorting and paging are DataTables'.
(() => {
  "use strict";
  const table = document.querySelector("table.data");
  if (!table || !window.DataTable) return;
  const PAGE = 200;
  const columns = [...table.tHead.rows[0].cells].map((head, place) => ({
    place,
    key: head.dataset.key,
    title: head.textContent.trim(),
    kind: head.dataset.kind || "",
    first: head.dataset.first,
    filter: "filter" in head.dataset ? head.dataset.filter || head.textContent.trim() : "",
    fixed: "fixed" in head.dataset,
    hidden: "hidden" in head.dataset,
  }));
  const rows = [...table.tBodies[0].rows];

  // '93.1 ± 0.4' -> [92.7, 93.1, 93.5]; '1 to 4' -> [1, 1, 4]
  function range(cell) {
    const numbers = cell.firstChild ? cell.firstChild.textContent.match(/-?[\d.]+/g) : null;
    if (!numbers || !cell.dataset.order) return null;
    const [mean, other] = numbers.map(Number);
    if (cell.dataset.kind === "rank") return [mean, mean, other ?? mean];
    return [mean - (other ?? 0), mean, mean + (other ?? 0)];
  }

  function drawBars() {
    for (const { place, kind, key } of columns) {
      if (key !== "rank" && kind !== "accuracy" && kind !== "aggregate") continue;
      const cells = rows.map((row) => [row.cells[place], range(row.cells[place])]).filter(([, found]) => found);
      const low = Math.min(...cells.map(([, found]) => found[0]));
      const high = Math.max(...cells.map(([, found]) => found[2]));
      for (const [cell, found] of cells) {
        const [from, mean, to] = found.map((value) => (100 * (value - low)) / (high - low || 1));
        cell.classList.add(key === "rank" ? "ranks" : "interval");
        cell.style.setProperty("--from", `${from.toFixed(1)}%`);
        cell.style.setProperty("--mean", `${mean.toFixed(1)}%`);
        cell.style.setProperty("--to", `${to.toFixed(1)}%`);
      }
    }
  }

  drawBars();
  // What is filtered by, before columns that are hidden leave the page.
  const words = columns.map(({ place }) => rows.map((row) => row.cells[place].textContent.trim()));
  const shown = new window.DataTable(table, {
    autoWidth: false,
    order: [],
    pageLength: PAGE,
    paging: rows.length > PAGE,
    layout: { topStart: null, topEnd: null, bottomStart: null, bottomEnd: rows.length > PAGE ? "paging" : null },
    columns: columns.map(({ first, hidden }) => ({
      orderSequence: first === "desc" ? ["desc", "asc", ""] : ["asc", "desc", ""],
      visible: !hidden,
    })),
  });

  function element(name, attributes, ...children) {
    const made = Object.assign(document.createElement(name), attributes);
    made.append(...children);
    return made;
  }

  const form = element("form", { className: "controls" });
  form.setAttribute("aria-label", "Which rows and columns");
  const search = element("input", { type: "search", name: "q" });
  form.append(element("label", {}, "Search ", search));
  const filters = columns
    .filter((column) => column.filter)
    .map((column) => {
      const texts = words[column.place];
      const found = [...new Set(texts)].filter(Boolean).sort();
      const select = element("select", { name: column.key }, element("option", { value: "", textContent: "all" }));
      for (const value of found) select.append(element("option", { value, textContent: value }));
      form.append(element("label", {}, `${column.filter} `, select));
      return { ...column, select, texts };
    });
  const boxes = columns
    .filter((column) => !column.fixed)
    .map((column) => {
      const box = element("input", { type: "checkbox", name: "column", value: column.key, checked: !column.hidden });
      return { ...column, box, label: element("label", {}, box, ` ${column.title}`) };
    });
  form.append(
    element(
      "details",
      {},
      element("summary", { textContent: "Columns" }),
      element("fieldset", {}, element("legend", { textContent: "Shown" }), ...boxes.map(({ label }) => label)),
    ),
    element("button", { type: "reset", textContent: "Reset" }),
  );
  const status = element("p", { className: "status" });
  status.setAttribute("role", "status");
  const scroll = table.closest(".scroll");
  scroll.before(form, status);
  const paging = scroll.querySelector(".dt-paging");
  if (paging) scroll.after(paging);

  shown.search.fixed("chosen", (line, data, index) =>
    filters.every(({ select, texts }) => !select.value || texts[index] === select.value),
  );

  function say() {
    const { recordsDisplay: some, recordsTotal: all } = shown.page.info();
    status.textContent = some === all ? `${all} rows` : `${some} of ${all} rows`;
  }

  function keep() {
    const choice = new URLSearchParams();
    const [sorted] = shown.order().filter(([, direction]) => direction);
    if (sorted) choice.set("sort", `${columns[sorted[0]].key}.${sorted[1]}`);
    if (search.value) choice.set("q", search.value);
    for (const { select, key } of filters) if (select.value) choice.set(key, select.value);
    const changed = boxes.filter(({ box, hidden }) => box.checked === hidden).map(({ key }) => key);
    if (changed.length) choice.set("columns", changed.join(" "));
    const address = choice.size ? `#${choice}` : location.pathname + location.search;
    if ((choice.size ? address : "") !== location.hash) history.replaceState(null, "", address);
    say();
  }

  function apply() {
    for (const { box, place } of boxes) {
      const column = shown.column(place);
      if (column.visible() !== box.checked) column.visible(box.checked);
    }
    shown.search(search.value).draw();
  }

  // The choice in the address; what it does not name is as at first.
  function read() {
    const choice = new URLSearchParams(location.hash.slice(1));
    search.value = choice.get("q") ?? "";
    for (const { select, key } of filters) {
      const wanted = choice.get(key) ?? "";
      select.value = [...select.options].some(({ value }) => value === wanted) ? wanted : "";
    }
    const changed = (choice.get("columns") ?? "").split(" ");
    for (const { box, key, hidden } of boxes) box.checked = changed.includes(key) === hidden;
    const [, key, direction] = (choice.get("sort") ?? "").match(/^(.*)\.(asc|desc)$/) ?? [];
    const sorted = columns.find((column) => column.key === key);
    shown.order(sorted ? [[sorted.place, direction]] : []);
    apply();
  }

  shown.on("draw", keep);
  form.addEventListener("change", apply);
  search.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    history.replaceState(null, "", location.pathname + location.search);
    read();
  });
  window.addEventListener("hashchange", read);
  window.addEventListener("beforeprint", () => shown.page.len(-1).draw());
  window.addEventListener("afterprint", () => shown.page.len(PAGE).draw());
  read();
})();
