"""Whether a cluster's preset fits the cluster, before anything is spent."""
