"""Who buys: users, customers and where they live."""
