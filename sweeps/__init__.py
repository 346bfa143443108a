"""What is to be done: a grid becomes runs, runs become segments, segments become work items."""
