"""OL Connect's methods, a module per service."""
