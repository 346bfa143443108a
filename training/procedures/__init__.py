"""The procedures that come with isogrid, and what their losses are made of."""
