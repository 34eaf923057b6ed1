"""What the warehouse answers about one person, and who has asked. Every answer is kept in the audit as it is given."""
