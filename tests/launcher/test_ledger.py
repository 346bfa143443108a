"""The append-only record."""

from pathlib import Path

from launcher.records.ledger import Act, Ledger, Line, SubmissionState, read_history
from sweeps.costs.cost import NO_HOURS, Hours
from sweeps.costs.rates import Rate, Setting


def append(folder: Path, *lines: Line) -> None:
    ledger = Ledger(folder)
    for line in lines:
        ledger.append(line)
    ledger.close()


def line(act: Act, **given: object) -> Line:
    return Line(**{"time": 1.0, "act": act, "submission": "s", **given})  # type: ignore[arg-type]


RATE = Rate(
    of=Setting(model="M", data="D", gpu=None, batch_per_rank=64, num_ranks=1), samples_per_s=10.0
)
SUBMITTING = line(Act.submitting, items=("a", "b"), where="slurm@here")


def test_a_submission_is_followed_to_its_end(tmp_path: Path) -> None:
    append(tmp_path, SUBMITTING)
    assert read_history(tmp_path).submissions["s"].state is SubmissionState.unresolved
    append(tmp_path, line(Act.submitted, job_id="7"))
    record = read_history(tmp_path).submissions["s"]
    assert (record.state, record.job_id, record.items) == (SubmissionState.submitted, "7", ("a", "b"))
    append(tmp_path, line(Act.ended))
    assert read_history(tmp_path).submissions["s"].state is SubmissionState.over


def test_what_items_were_charged_is_known_when_they_leave_and_when_all_have_ended(
    tmp_path: Path,
) -> None:
    append(tmp_path, SUBMITTING, line(Act.left, indices=(1,), hours=(Hours(core=2, gpu=1),)))
    record = read_history(tmp_path).submissions["s"]
    assert record.charged == {1: Hours(core=2, gpu=1)}
    assert record.state is SubmissionState.unresolved
    hours = (Hours(core=5), Hours(core=3, gpu=2))
    append(tmp_path, line(Act.ended, hours=hours, rates={"b": RATE}))
    history = read_history(tmp_path)
    assert history.submissions["s"].charged == dict(enumerate(hours))
    assert history.rates == {"b": RATE}


def test_what_left_an_array_early_keeps_how_it_ended(tmp_path: Path) -> None:
    left = line(Act.left, indices=(1,), outcomes=("crashed",), reasons=("FAILED",), hours=(NO_HOURS,))
    over = line(Act.ended, outcomes=("done", ""), reasons=("", ""), hours=(NO_HOURS,) * 2)
    append(tmp_path, SUBMITTING, left, over)
    record = read_history(tmp_path).submissions["s"]
    assert (record.outcomes, record.reasons) == ({0: "done", 1: "crashed"}, {1: "FAILED"})


def test_each_launcher_writes_a_file_of_its_own_and_only_if_it_acts(tmp_path: Path) -> None:
    append(tmp_path)
    assert list(tmp_path.iterdir()) == []
    for _ in range(3):
        append(tmp_path, SUBMITTING)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "000001.jsonl",
        "000002.jsonl",
        "000003.jsonl",
    ]


def test_the_act_that_a_killed_launcher_was_writing_is_dropped(tmp_path: Path) -> None:
    append(tmp_path, SUBMITTING, line(Act.submitted, job_id="7"))
    path = tmp_path / "000001.jsonl"
    path.write_bytes(path.read_bytes()[:-10])
    assert read_history(tmp_path).submissions["s"].state is SubmissionState.unresolved
    append(tmp_path, line(Act.adopted, job_id="7"))
    assert read_history(tmp_path).submissions["s"].job_id == "7"


def test_deliveries_are_known_by_event_and_hook(tmp_path: Path) -> None:
    append(
        tmp_path,
        Line(time=1, act=Act.delivery_failed, event_id="e", hook="h", detail="no"),
        Line(time=2, act=Act.delivered, event_id="e", hook="h", detail="said"),
    )
    history = read_history(tmp_path)
    assert history.delivered == {("e", "h"): "said"}
    assert history.failures == {("e", "h"): ["no"]}


def test_the_writer_sees_its_own_acts(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.append(SUBMITTING)
    assert "s" in ledger.history.submissions
    ledger.close()


def said(act: Act, at: float) -> Line:
    attempts = (0,) if act is Act.resumed else ()
    return Line(time=at, act=act, items=("a",), attempts=attempts)


def test_of_what_the_user_says_the_latest_holds_whichever_file_it_is_in(tmp_path: Path) -> None:
    watch = Ledger(tmp_path)
    watch.append(SUBMITTING)
    for act, at in ((Act.cancelled, 2.0), (Act.resumed, 3.0)):
        append(tmp_path, said(act, at))
        watch.refresh()
        assert watch.history.cancelled == read_history(tmp_path).cancelled
    assert watch.history.cancelled == set()
    watch.append(said(Act.cancelled, 4.0))
    watch.close()
    assert watch.history.cancelled == read_history(tmp_path).cancelled == {"a"}


def test_the_user_is_obeyed_on_a_machine_whose_clock_is_slow(tmp_path: Path) -> None:
    for act, cancelled in ((Act.cancelled, {"a"}), (Act.resumed, set()), (Act.cancelled, {"a"})):
        append(tmp_path, said(act, 9.0 if act is Act.resumed else 5.0))
        assert read_history(tmp_path).cancelled == cancelled
