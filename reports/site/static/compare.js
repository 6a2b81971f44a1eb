// Looks up what two methods have between them in every table, and which images only one of them gets right; the address keeps which two.
(() => {
  "use strict";
  const { methods, tables } = JSON.parse(document.getElementById("pairs").textContent);
  const form = document.getElementById("choice");
  const table = document.getElementById("differences");
  const { first, second } = form.elements;
  for (const select of [first, second]) for (const name of methods) select.append(new Option(name, name));

  const signed = (tenths) => `${tenths < 0 ? "-" : "+"}${(Math.abs(tenths) / 10).toFixed(1)}`;

  // [difference, half width, beyond] of a row over another, from the triangle in which the later row comes first.
  function pair(pairs, one, other) {
    const [later, earlier] = one > other ? [one, other] : [other, one];
    const found = pairs[(later * (later - 1)) / 2 + earlier];
    return found && one < other ? [-found[0], found[1], -found[2]] : found;
  }

  function cell(row, text, name = "td", className = "") {
    const made = document.createElement(name);
    made.className = className;
    made.append(text);
    row.append(made);
    return made;
  }

  function line(body, { title, page, labels }, { header, means }, one, other, [difference, half, beyond]) {
    const row = body.insertRow();
    const link = Object.assign(document.createElement("a"), { href: page, textContent: title });
    cell(row, link, "th").scope = "row";
    cell(row, `${labels[one]} over ${labels[other]}`);
    cell(row, header);
    for (const place of [one, other]) cell(row, (means[place] / 10).toFixed(1), "td", "number");
    cell(row, half === null ? `(${signed(difference)})` : `${signed(difference)} ± ${(half / 10).toFixed(1)}`, "td", "number");
    cell(row, half === null ? "no interval" : beyond > 0 ? "above" : beyond < 0 ? "below" : "cannot be told apart");
  }

  // Scripts of outcomes, each loaded once: reports/site/outcomes.py.
  const loaded = new Map();
  function load(script) {
    if (!loaded.has(script)) {
      loaded.set(
        script,
        new Promise((done, failed) => {
          const tag = Object.assign(document.createElement("script"), { src: script, onload: done, onerror: failed });
          document.head.append(tag);
        }),
      );
    }
    return loaded.get(script);
  }

  const bytes = (text) => Uint8Array.from(atob(text), (one) => one.charCodeAt(0));

  // Of the seeds that both rows have: their names, and the bits of each row.
  function inCommon(first, second) {
    const any = (row) => "any" in row;
    const seeds = any(first) ? Object.keys(second) : any(second) ? Object.keys(first) : Object.keys(first).filter((seed) => seed in second);
    const of = (row) => seeds.map((seed) => bytes(any(row) ? row.any : row[seed]));
    return { seeds, first: of(first), second: of(second) };
  }

  // How many images a seed one row alone gets right, on average, and which of them at every seed.
  function alone(mine, theirs, images) {
    let sum = 0;
    const always = [];
    for (let image = 0; image < images; image += 1) {
      const bit = (row) => (row[image >> 3] >> (image & 7)) & 1;
      const times = mine.filter((row, seed) => bit(row) && !bit(theirs[seed])).length;
      sum += times;
      if (times === mine.length) always.push(image);
    }
    return { mean: sum / mine.length, always };
  }

  function element(name, attributes, ...children) {
    const made = Object.assign(document.createElement(name), attributes);
    made.append(...children);
    return made;
  }

  // Which images, as numbers; as pictures where the site has them, in rows of as many as a sprite has (reports/site/sprites.py).
  function which(always, sprite) {
    if (!always.length) return [];
    const pictures = always.map((image) => {
      const { path, size, columns } = sprite ?? {};
      const text = `image ${image}`;
      const tile = element("span", { className: "tile", title: text, role: "img", ariaLabel: text });
      tile.style.cssText = `width:${size}px;height:${size}px;background-image:url("${path}");
        background-position:${-size * (image % columns)}px ${-size * Math.floor(image / columns)}px`;
      return tile;
    });
    const shown = sprite ? [element("p", { className: "tiles", tabIndex: 0 }, ...pictures)] : [];
    const numbers = element("p", { className: "indices", tabIndex: 0, textContent: always.join(", ") });
    return [element("details", {}, element("summary", { textContent: "Which" }), ...shown, numbers)];
  }

  function told(where, one, other, rows) {
    const { images, header, sprite } = where.outcomes;
    const both = inCommon(rows[one], rows[other]);
    if (!both.seeds.length) return [];
    const seeds = both.seeds[0] === "any" ? "at any seed" : both.seeds.length === 1 ? `at seed ${both.seeds[0]}` : `at each of the seeds ${both.seeds.join(", ")}`;
    const sides = [
      [where.labels[one], both.first, both.second],
      [where.labels[other], both.second, both.first],
    ];
    const parts = sides.flatMap(([label, mine, theirs]) => {
      const { mean, always } = alone(mine, theirs, images);
      const share = `${mean.toLocaleString("en", { maximumFractionDigits: 1 })} a seed on average, ${always.length.toLocaleString("en")} ${seeds}`;
      return [element("p", { textContent: `Only ${label}: ${share}.` }), ...which(always, sprite)];
    });
    const link = element("a", { href: where.page, textContent: where.title });
    return [element("section", { className: "alone" }, element("h3", {}, link), element("p", { textContent: `${header}, ${images.toLocaleString("en")} images` }), ...parts)];
  }

  // Of every table that has both; the choice may be another one by the time that a script is there.
  async function showImages() {
    const chosen = [first.value, second.value];
    const found = [];
    for (const where of tables) {
      const places = (name) => where.methods.flatMap((method, place) => (method === name ? [place] : []));
      const pairs = places(chosen[0]).flatMap((one) => places(chosen[1]).map((other) => [one, other])).filter(([one, other]) => one !== other);
      if (!where.outcomes || !pairs.length) continue;
      await load(where.outcomes.script);
      const { rows } = window.outcomes.find(({ page }) => page === where.page);
      for (const [one, other] of pairs) if (rows[one] && rows[other]) found.push(...told(where, one, other, rows));
    }
    if (chosen[0] !== first.value || chosen[1] !== second.value) return;
    const images = document.getElementById("images");
    images.replaceChildren(...(found.length ? found : [element("p", { textContent: "No table says of both which images they get right." })]));
    images.dataset.of = chosen.join(" ");
  }

  function show() {
    const body = table.tBodies[0];
    body.replaceChildren();
    for (const where of tables) {
      const places = (name) => where.methods.flatMap((method, place) => (method === name ? [place] : []));
      for (const column of where.columns) {
        for (const one of places(first.value)) {
          for (const other of places(second.value)) {
            const found = one === other ? 0 : pair(column.pairs, one, other);
            if (found) line(body, where, column, one, other, found);
          }
        }
      }
    }
    table.hidden = !body.rows.length;
    document.getElementById("said").textContent = body.rows.length
      ? `${body.rows.length} comparisons`
      : "No table has both of them with a seed in common.";
    showImages();
  }

  function read() {
    const choice = new URLSearchParams(location.hash.slice(1));
    const known = (name, other) => (methods.includes(name) ? name : other);
    first.value = known(choice.get("first"), methods[0]);
    second.value = known(choice.get("second"), methods[1] ?? methods[0]);
    show();
  }

  form.addEventListener("change", () => {
    history.replaceState(null, "", `#${new URLSearchParams({ first: first.value, second: second.value })}`);
    show();
  });
  window.addEventListener("hashchange", read);
  form.hidden = false;
  read();
})();
