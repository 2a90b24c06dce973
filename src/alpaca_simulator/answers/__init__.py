"""What is told about an exchange: orders, positions, activities, equity, the calendar."""
