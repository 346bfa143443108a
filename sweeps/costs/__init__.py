"""What training takes: nodes, hours, files and bytes."""
