"""Where data is kept: raw answers in landing, whole files, and the connection to the warehouse."""
