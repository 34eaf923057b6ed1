"""What the warehouse answers about a person, and about itself."""
