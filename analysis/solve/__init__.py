"""Many small fits side by side: exact projection for the start, then a bounded descent, certified."""
