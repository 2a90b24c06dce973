"""What the APIs report about an exchange: orders, positions, activities, equity, the calendar."""
