"""The verbs that only look: the database is read, and nothing is changed anywhere."""
