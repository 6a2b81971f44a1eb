// Looks up what two methods have between them in every table; the address keeps which two.
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
