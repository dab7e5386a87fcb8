"""What is sold: products, how they are sorted, priced and judged."""
