"""One person's whole visit to a site, from the first page to the last, on every kind of host."""
