"""Where prices come from, and what is remembered of them."""
