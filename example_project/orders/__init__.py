"""What was bought: orders, their lines, and the stock they take."""
