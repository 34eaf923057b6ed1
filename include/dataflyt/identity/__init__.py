"""Identity numbers, organisation numbers and names."""
