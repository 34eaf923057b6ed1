"""Places that keep data: landing with its raw answers, whole files, and the connection to the warehouse."""
