// Follow the theme that is chosen in Airflow, which keeps it in the browser. Without a choice, or without JavaScript,
// the browser's own preference decides (dataflyt.css).
try {
  const chosen = localStorage.getItem("theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // the browser lets no page keep anything: its own preference decides
}
