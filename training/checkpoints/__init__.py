"""States and milestones: what is saved of training, when, and how it is taken up again."""
