"""What is asked, and of which runs: arguments, tables, and which columns mean what."""
