"""Charts as SVG, made here: no library, no script, readable without colours."""
