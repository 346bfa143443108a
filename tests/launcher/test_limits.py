"""What a cluster allows, from what its commands print, and how many jobs that leaves room for."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conf.schema import ClusterConfig, ClusterKind
from launcher.machines.accounting import Charge, SubmitLimit, parse_accounts
from launcher.machines.limits import (
    KEPT_S,
    Limits,
    Partition,
    kept_limits,
    max_array_size,
    parse_partitions,
    parse_settings,
    refuse_excess,
)
from launcher.machines.queue import Job, Queue
from sweeps import durable
from sweeps.errors import UsageError

SETTINGS = """\
Configuration data as of 2026-01-01T00:00:00
AccountingStorageEnforce = associations,limits,qos
ClusterName             = lab
MaxArraySize            = 1001
SchedulerParameters     = bf_continue,max_array_tasks=500,x=y
SuspendTime             =
"""
PARTITIONS = """\
PartitionName=main AllowGroups=ALL Default=YES QoS=N/A MaxNodes=UNLIMITED MaxTime=UNLIMITED State=UP
PartitionName=short AllowGroups=ALL Default=NO QoS=few MaxNodes=2 MaxTime=1-02:30:00 State=DOWN
"""
ACCOUNTS = parse_accounts(
    associations=[
        ["other", "", "", "", "urgent"],
        ["lab", "", "9", "", ""],
        ["lab", "short", "", "7", ""],
    ],
    tree=[
        ["root", "", ""],
        ["institute", "root", "12"],
        ["lab", "institute", "11"],
        ["other", "institute", ""],
        ["strangers", "root", "1"],
    ],
    default=[["lab"]],
    qos=[
        ["normal", "", "", "", ""],
        ["few", "3", "2", "8", "DenyOnLimit"],
        ["long", "", "", "", "PartitionTimeLimit"],
    ],
)
LIMITS = Limits(asked_at=0.0, partitions=parse_partitions(PARTITIONS), accounts=ACCOUNTS)
OWN = ClusterConfig(name="own", kind=ClusterKind.slurm, time_min=60)


def test_settings_and_partitions_are_read() -> None:
    settings = parse_settings(SETTINGS)
    assert settings["ClusterName"] == "lab"
    assert settings["SuspendTime"] == ""
    assert LIMITS.partitions == (
        Partition(name="main", is_default=True),
        Partition(name="short", max_time_min=26 * 60 + 30, max_nodes=2, qos="few"),
    )


@pytest.mark.parametrize(
    ("settings", "configured", "size"),
    [
        ({"MaxArraySize": "1001"}, 1000, 1000),
        ({"MaxArraySize": "10"}, 1000, 10),
        ({"MaxArraySize": "0"}, 1000, 1000),
        ({}, 1000, 1000),
        (parse_settings(SETTINGS), 1000, 500),
    ],
)
def test_the_smaller_of_both_bounds_an_array(
    settings: dict[str, str], configured: int, size: int
) -> None:
    assert max_array_size(settings, configured) == size


def test_limits_and_usual_charges_of_accounts_are_read() -> None:
    assert [(limit.most, limit.charge, limit.below) for limit in ACCOUNTS.limits] == [
        (9, Charge(account="lab"), ()),
        (7, Charge(account="lab", partition="short"), ()),
        (11, Charge(account="lab"), ("lab",)),
        (12, Charge(account="institute"), ("lab", "other")),
        (3, Charge(qos="few"), ()),
        (8, Charge(qos="few"), ()),
        (2, Charge(account="lab", qos="few"), ()),
        (2, Charge(account="other", qos="few"), ()),
    ]
    assert ACCOUNTS.charge(None, None, "main") == Charge(account="lab", qos="normal", partition="main")
    assert ACCOUNTS.charge("other", None, "main").qos == "urgent"
    assert ACCOUNTS.charge("other", "few", "main").qos == "few"


def job(*indices: int, **charged: Any) -> Job:
    given = {"account": "lab", "qos": "normal", "partition": "main", **charged}
    return Job(job_id="1", name="mine", indices=frozenset(indices) or None, is_running=False, **given)


@pytest.mark.parametrize(
    ("cluster", "jobs", "room"),
    [
        ({}, [], 9),
        ({}, [job(), job(0, 1, 2)], 5),
        ({}, [job(account="other")], 9),
        ({}, [job(*range(20))], 0),
        ({}, [job(*range(5), account="other")], 7),
        ({"qos": "few"}, [job(), job(qos="few")], 1),
        ({"account": "other"}, [job()], 11),
        ({"account": "other"}, [job(account="strangers")], 12),
        ({"account": "strangers"}, [job()], None),
        ({"account": "other", "qos": "few"}, [job(qos="few")], 2),
        ({"partition": "short"}, [job(), job(partition="main,short")], 1),
    ],
)
def test_the_tightest_limit_leaves_room_and_counts_the_users_other_jobs(
    cluster: dict[str, Any], jobs: list[Job], room: int | None
) -> None:
    assert LIMITS.room(replace(OWN, **cluster), Queue(asked_at=0.0, jobs=tuple(jobs))) == room


def test_what_is_unknown_limits_nothing() -> None:
    nothing = Limits(asked_at=0.0)
    assert nothing.room(OWN, Queue(asked_at=0.0, jobs=(job(*range(900)),))) is None
    refuse_excess(nothing, replace(OWN, partition="any", time_min=10**6), 10**6)


@pytest.mark.parametrize(
    ("cluster", "num_nodes", "message"),
    [
        (
            {"partition": "short", "time_min": 1591},
            1,
            "time_min=1591: partition short allows 1590 minutes",
        ),
        ({"partition": "short"}, 3, "asks for 3 nodes, but partition short allows 2"),
        ({"partition": "shirt"}, 1, "cluster.partition=shirt: .* Did you mean short?"),
    ],
)
def test_what_a_partition_does_not_allow_is_refused(
    cluster: dict[str, Any], num_nodes: int, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        refuse_excess(LIMITS, replace(OWN, **cluster), num_nodes)


@pytest.mark.parametrize(
    "cluster",
    [
        {"partition": "short", "time_min": 1590},
        {"partition": "short", "time_min": 9999, "qos": "long"},
        {},
    ],
)
def test_what_a_partition_or_qos_allows_is_not_refused(cluster: dict[str, Any]) -> None:
    refuse_excess(LIMITS, replace(OWN, **cluster), 2)


def test_limits_are_kept_for_an_hour(tmp_path: Path) -> None:
    path, now = tmp_path / "lab.json", time.time()
    assert kept_limits(path, now) is None
    known = replace(LIMITS, asked_at=now)
    durable.replace(path, durable.encode(known))
    assert kept_limits(path, now + KEPT_S - 1) == known
    assert kept_limits(path, now + KEPT_S) is None
    path.write_bytes(b"{}")
    assert kept_limits(path, now) is None


def test_a_limit_counts_what_it_names_and_no_more() -> None:
    limit = SubmitLimit(most=1, charge=Charge(qos="few"))
    assert limit.counts(Charge(account="any", qos="few"))
    assert not limit.counts(Charge(account="any"))
