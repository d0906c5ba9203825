"use strict";

// The tables sort by a click on a head's button: up first, then down. What has a number sorts by
// it, and before what has none; equal rows keep their order.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const rows = [...body.rows];
      rows.sort((a, b) => compare(a.cells[column], b.cells[column], up ? 1 : -1));
      body.append(...rows);
    });
  });
}

function compare(a, b, sign) {
  const [x, y] = [a.dataset.number, b.dataset.number];
  if (x !== undefined && y !== undefined) return sign * (Number(x) - Number(y));
  if (x !== undefined) return -1;
  if (y !== undefined) return 1;
  return sign * a.textContent.localeCompare(b.textContent, undefined, { numeric: true });
}
