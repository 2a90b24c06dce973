"""What was earned and what is: read only, for people.  It can't place an order."""
