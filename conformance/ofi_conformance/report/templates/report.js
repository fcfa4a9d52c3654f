// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"use strict";
(() => {
  const rows = [...document.querySelectorAll("details.row")];
  const buttons = [...document.querySelectorAll(".tools button[data-verdict]")];
  const search = document.getElementById("search");
  const shown = document.getElementById("shown");
  const apply = () => {
    const off = new Set(buttons.filter((b) => b.getAttribute("aria-pressed") === "false").map((b) => b.dataset.verdict));
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const text = row.dataset.text;
      const visible = !off.has(row.dataset.verdict) && words.every((word) => text.includes(word));
      row.hidden = !visible;
      count += visible ? 1 : 0;
    }
    for (const section of document.querySelectorAll("section.chapter")) {
      section.hidden = !section.querySelector("details.row:not([hidden])");
    }
    shown.textContent = count === rows.length ? `${count} requirements` : `${count} of ${rows.length} requirements`;
  };
  for (const button of buttons) {
    button.addEventListener("click", (event) => {
      if (event.altKey || event.detail === 2) {
        for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      } else {
        button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") === "false"));
      }
      apply();
    });
  }
  search.addEventListener("input", apply);
  const follow = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let node = target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
    target.hidden = false;
    target.scrollIntoView();
  };
  window.addEventListener("hashchange", follow);
  for (const button of document.querySelectorAll(".replay button")) {
    button.addEventListener("click", async () => {
      const text = button.parentElement.querySelector("pre").textContent;
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = "copied";
      } catch {
        getSelection().selectAllChildren(button.parentElement.querySelector("pre"));
      }
    });
  }
  window.addEventListener("beforeprint", () => {
    for (const row of rows) if (row.dataset.verdict === "FAIL" || row.dataset.verdict === "ERROR") row.open = true;
  });
  apply();
  follow();
})();
