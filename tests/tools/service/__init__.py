"""The service under load, killed, on PostgreSQL; and the generated parts of its page."""
