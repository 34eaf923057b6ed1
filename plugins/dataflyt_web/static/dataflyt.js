// Follow the theme that is chosen in Airflow, which keeps it in the browser. Without a choice, or without JavaScript,
// the browser's own preference decides (dataflyt.css).
try {
  const chosen = localStorage.getItem("theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // the browser lets no page keep anything: its own preference decides
}

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
