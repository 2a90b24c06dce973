"""The verbs that write rows of dca_assets, as SQL would, after checking and showing them."""
