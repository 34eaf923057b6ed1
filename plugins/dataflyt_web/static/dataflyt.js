// Follow the theme that is chosen in Airflow, which keeps it in the browser. Without a choice, or without JavaScript,
// the browser's own preference decides (dataflyt.css).
try {
  const chosen = localStorage.getItem("theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // the browser lets no page keep anything: its own preference decides
}

// On a phone the rows of these tables stand below each other, with the column's name before each value (dataflyt.css).
// The roles are said, since a table that is not laid out as one is none to a screen reader. Without JavaScript the table
// is read by scrolling sideways.
document.addEventListener("DOMContentLoaded", () => {
  for (const table of document.querySelectorAll("table.stacks")) {
    const names = Array.from(table.querySelectorAll("thead th"), (head) => head.textContent.trim());
    table.setAttribute("role", "table");
    for (const row of table.rows) {
      row.setAttribute("role", "row");
      row.parentElement.setAttribute("role", "rowgroup");
      Array.from(row.cells).forEach((cell, at) => {
        const head = cell.parentElement.parentElement.tagName === "THEAD";
        cell.setAttribute("role", head ? "columnheader" : cell.tagName === "TH" ? "rowheader" : "cell");
        if (!head) cell.dataset.label = names[at] ?? "";
      });
    }
    table.classList.add("labelled");
  }
});

// A button that copies a text. Without JavaScript there is no button, and the text can be selected.
document.addEventListener("DOMContentLoaded", () => {
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const text = document.getElementById(button.dataset.copy);
      text.select();
      try {
        await navigator.clipboard.writeText(text.value);
        button.textContent = button.dataset.copied;
      } catch {
        // the browser lets no page write to the clipboard: the text is selected
      }
    });
  }
});
