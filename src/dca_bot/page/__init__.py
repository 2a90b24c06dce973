"""The reports in a browser.  Rule: it shows and never changes anything; no route but GET exists."""
