"""The warehouse: schema, staging, run-versioned history, golden record, vetoes, plan."""
