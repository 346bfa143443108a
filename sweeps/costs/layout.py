"""How work lies on the nodes of a cluster: ranks on nodes, work items in jobs, cores and GPUs of both.

A cluster that allocates whole nodes charges a node for each job, so work items that take a fraction of
one share a job there, as many as fit. Elsewhere a job asks for what its work item needs.
"""

import math

from conf.schema import ClusterConfig, ResourceConfig


def num_nodes(resources: ResourceConfig, cluster: ClusterConfig) -> int:
    """Return how many nodes a layout takes on a cluster."""
    return math.ceil(resources.num_ranks / ranks_per_node(resources, cluster))


def ranks_per_node(resources: ResourceConfig, cluster: ClusterConfig) -> int:
    """Return how many ranks share a node: as configured, else one a GPU, else all of them."""
    configured = resources.ranks_per_node or cluster.ranks_per_node
    most = configured or cluster.gpus_per_node or resources.num_ranks
    return min(most, resources.num_ranks)


def items_per_job(resources: ResourceConfig, cluster: ClusterConfig) -> int:
    """Return how many work items of a layout one job carries."""
    if not cluster.allocates_whole_nodes or num_nodes(resources, cluster) > 1:
        return 1
    configured = resources.ranks_per_node or cluster.ranks_per_node
    cores = resources.threads_per_rank + resources.num_workers
    room = configured or cluster.gpus_per_node or (cluster.cores_per_node or 0) // cores
    return max(1, room // resources.num_ranks)


def gpus_per_node(resources: ResourceConfig, cluster: ClusterConfig) -> int:
    """Return how many GPUs of each of its nodes a job holds."""
    if cluster.allocates_whole_nodes:
        return cluster.gpus_per_node
    return min(cluster.gpus_per_node, ranks_per_node(resources, cluster))


def cores_per_rank(resources: ResourceConfig, cluster: ClusterConfig) -> int:
    """Return how many cores a job asks for each rank: what it needs, and what would else lie idle.

    That is an equal share of a node that is not shared with others, or what belongs to a GPU.
    """
    needed = resources.threads_per_rank + resources.num_workers
    tasks = ranks_per_node(resources, cluster)
    if cluster.allocates_whole_nodes:
        sharers = tasks * items_per_job(resources, cluster)
    elif cluster.gpus_per_node:
        sharers = max(tasks, cluster.gpus_per_node)
    else:
        return needed
    return max(needed, (cluster.cores_per_node or 0) // sharers)
