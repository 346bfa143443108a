"""What is trained: runs and their segments, by what they are named, and as they were launched."""
