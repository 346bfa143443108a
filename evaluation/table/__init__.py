"""The results table: rows in the inbox, parts and manifests, and how people read them."""
