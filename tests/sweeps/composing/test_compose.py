"""Composing: the shipped sweeps, overrides, mistakes, and parts against Hydra's own composition."""

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conf.schema import Precision, RunConfig, SweepConfig
from sweeps.composing import hydra_api
from sweeps.composing.compose import compose_request, compose_whole, simple_overrides
from sweeps.composing.grid import Cell
from sweeps.composing.points import Composer
from sweeps.composing.typed import typed
from sweeps.errors import UsageError
from sweeps.folders import CHECKOUT
from sweeps.runs.declared import samples_seen_of

PUBLISHED = CHECKOUT.parent / "shared/data/openclip/trained_models_info.csv"


def only(arguments: Sequence[str]) -> RunConfig:
    (config,) = compose_request(arguments).configs
    return config


def test_quickstart_is_three_models_two_data_sets_three_lengths() -> None:
    request = compose_request(["sweep=quickstart"])
    assert len(request.cells) == 18
    assert {config.resources.num_ranks for config in request.configs} == {1, 2, 4}
    assert request.overrides == ()


def test_full_grid_has_the_published_recipes() -> None:
    request = compose_request(["sweep=full_grid"])
    recipes = {
        _recipe(cell, config) for cell, config in zip(request.cells, request.configs, strict=True)
    }
    assert len(recipes) == 29
    assert ("ViT-H-14", "LAION-2B", "34B", 34_725_395_968, 79_104, 824, 5e-4, "2000 steps") in recipes
    if PUBLISHED.exists():
        rows = csv.DictReader(PUBLISHED.read_text().splitlines())
        assert recipes == {_published(row) for row in rows}


def _recipe(cell: Cell, config: RunConfig) -> tuple[Any, ...]:
    return (
        *cell.labels.values(),
        samples_seen_of(config),
        config.global_batch_size,
        config.resources.num_ranks,
        config.optim.lr,
        config.schedule.warmup,
    )


def _published(row: dict[str, str]) -> tuple[Any, ...]:
    return (
        row["arch"],
        f"LAION-{row['data']}",
        row["samples_seen_pretty"],
        int(row["epochs"]) * int(row["samples_per_epoch"]),
        int(row["gpus"]) * int(row["local_bs"]),
        int(row["gpus"]),
        float(row["lr"]),
        f"{row['warmup']} steps",
    )


def test_an_override_of_an_axis_selects_cells() -> None:
    request = compose_request(["sweep=full_grid", "model=ViT-B-32,ViT-B-16", "samples_seen=3B"])
    assert len(request.cells) == 6
    assert request.sweep == "full_grid"


def test_the_whole_sweep_stands_beside_what_is_selected() -> None:
    whole = compose_whole(["sweep=quickstart", "model=ViT-w32", "samples_seen=10240"])
    assert (len(whole.request.cells), len(whole.cells), len(whole.configs)) == (2, 18, 18)
    assert whole.request.configs == [whole.configs[whole.cells.index(c)] for c in whole.request.cells]


def test_any_other_override_wins_over_the_cell() -> None:
    chosen = ["sweep=quickstart", "model=ViT-w32", "data=shapes-clean", "samples_seen=10240"]
    assert only(chosen).optim.lr == 1.5e-3
    assert only([*chosen, "optim.lr=7e-4"]).optim.lr == 7e-4
    assert only([*chosen, "precision=bf16"]).precision is Precision.bf16


def test_overrides_of_runs_make_another_sweep_and_those_of_a_launch_do_not() -> None:
    changed = compose_request(["sweep=quickstart", "optim.lr=7e-4", "policy.poll_s=3"])
    assert changed.overrides == ("optim.lr=7e-4",)
    assert changed.sweep.startswith("quickstart.")
    assert compose_request(["sweep=quickstart", "policy.poll_s=3"]).sweep == "quickstart"


def test_the_launch_takes_the_sweeps_cluster_unless_told_otherwise() -> None:
    assert compose_request(["sweep=full_grid"]).launch.cluster.name == "juwels_booster"
    assert compose_request(["sweep=full_grid", "cluster=slurm"]).launch.cluster.name == "slurm"


def test_environment_variables_are_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRATCH", "/somewhere")
    given = ["sweep=quickstart", "root=${oc.env:SCRATCH}"]
    assert compose_request(given).launch.root == "/somewhere"


def test_a_bare_on_in_yaml_is_no_boolean() -> None:
    moments = [entry["on"] for entry in compose_request(["sweep=quickstart"]).launch.hooks]
    assert moments == ["checkpoint", "sweep"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "say which sweep"),
        (["sweep=quikstart"], "no sweep 'quikstart'. Did you mean quickstart"),
        (
            ["sweep=quickstart", "model=ViT-w33"],
            r"model=ViT-w33 is not in this sweep. Did you mean ViT-w",
        ),
        (["sweep=quickstart", "optim.lrr=1"], "no 'optim.lrr' to set. Did you mean lr"),
        (["sweep=quickstart", "optm.lr=1"], "no 'optm.lr' to set. Did you mean optim"),
        (["sweep=quickstart", "cluster.env.A=1"], r"To add it, write \+cluster.env.A=1"),
        (["sweep=quickstart", "optim.lr=fast"], "optim.lr=fast: Value 'fast'.*Float"),
        (["sweep=quickstart", "precision=fp8"], r"precision=fp8: .*\[fp32, tf32, bf16\]"),
        (["sweep=quickstart", "optim.lr=1e-3,1e-4"], "optim.lr is no axis of sweep quickstart"),
        (["sweep=quickstart", "schedule=cosin"], "no schedule 'cosin'. Did you mean cosine"),
        (
            ["sweep=quickstart", "data.shards=0.tar", "data.shards=1.tar"],
            "data.shards= is given more than once: quote a pattern",
        ),
        (["quickstart"], "'quickstart' cannot be read; write NAME=VALUE"),
        (["sweep=quickstart", "==="], "."),
    ],
)
def test_a_mistake_is_one_line_that_says_what_to_do(arguments: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        compose_request(arguments)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("", r"conf/sweep/bad.yaml does not say: name, blocks"),
        ("blocks: [{axis: {}}]", r"conf/sweep/bad.yaml: there is no 'axis' to set. Did you mean axes"),
        ("blocks: {axes: {}}", r"conf/sweep/bad.yaml: Cannot merge"),
        ("blocks: [{axes: {seed: [0]}}]\nname: bad\nset: {optm.lr: 3}", "no 'optm.lr' to set"),
    ],
)
def test_a_mistake_in_a_file_names_the_file(written: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "bad.yaml").write_text(written)
    with pytest.raises(UsageError, match=message):
        compose_request(["sweep=bad", f"hydra.searchpath=[{tmp_path}]"])


def test_a_cell_may_not_set_what_belongs_to_the_launch() -> None:
    with hydra_api.session():
        composer = Composer(SweepConfig(name="s", blocks=()), [])
        with pytest.raises(UsageError, match="cluster.time_min belongs to a launch"):
            composer.point(Cell(labels={}, settings=(("cluster.time_min", 5),)))


def test_simple_overrides_need_no_composition() -> None:
    given = simple_overrides(["sweep=x", "model=a,b", "seed=1", "root=/r"])
    assert given == {"sweep": ["x"], "model": ["a", "b"], "seed": [1], "root": ["/r"]}


GROUPS = {
    "model": ["ViT-w32", "ViT-B-32"],
    "optim": ["adamw"],
    "data": ["shapes-clean", "LAION-80M"],
    "schedule": ["cosine", "constant", "constant_cooldown"],
    "eval": ["quickstart", "openclip2023"],
}
VALUES: dict[str, list[Any]] = {
    "optim.lr": [1e-3, 1, "${optim.beta1}"],
    "seed": [3],
    "precision": ["bf16"],
    "samples_seen": [640, "${global_batch_size}"],
    "schedule.warmup": ["5%", "10 steps"],
    "resources.num_ranks": [2],
    "data.crop_scale": [[0.5, 1.0]],
    "model.config": [{"embed_dim": 8}, None],
    "procedure.options": [{"a": 1}],
    "checkpoints.milestones": [[64, 128]],
}
SETTINGS = VALUES | GROUPS
a_setting = st.one_of(
    *[st.tuples(st.just(key), st.sampled_from(values)) for key, values in SETTINGS.items()]
)


@pytest.fixture(params=[[], ["seed=7", "schedule=constant", "+procedure.options.b=2"]])
def composer(request: pytest.FixtureRequest) -> Iterator[Composer]:
    """A composer of one command line; it keeps what Hydra composed."""
    sweep = SweepConfig(name="s", blocks=(), set={"global_batch_size": 32})
    with hydra_api.session():
        yield Composer(sweep, hydra_api.parse(request.param))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chosen=st.lists(a_setting, max_size=6))
def test_a_point_made_of_parts_equals_hydras_own_composition(
    composer: Composer, chosen: list[tuple[str, Any]]
) -> None:
    cell = Cell(labels={}, settings=tuple(chosen))
    assert composer.point(cell) == (full := composer.full(cell))
    assert as_typed(lambda: composer.config(cell)) == as_typed(lambda: typed(full, RunConfig, ""))


def as_typed(config: Callable[[], RunConfig]) -> RunConfig | str:
    try:
        return config()
    except UsageError as error:
        return f": {str(error).lstrip(': ')}"


def test_configs_share_the_pieces_on_which_they_agree() -> None:
    configs = compose_request(["sweep=quickstart"]).configs
    assert len({id(config.model) for config in configs}) == 3
    assert len({id(config.eval) for config in configs}) == 1
    assert len({id(config.optim) for config in configs}) == 2


def test_own_sweeps_may_lie_outside_the_checkout(tmp_path: Path) -> None:
    (tmp_path / "sweep").mkdir()
    text = "name: mine\nblocks:\n  - axes: {samples_seen: [64]}\n"
    (tmp_path / "sweep/mine.yaml").write_text(text)
    request = compose_request(["sweep=mine", f"hydra.searchpath=[file://{tmp_path}]"])
    assert replace(request.configs[0]).samples_seen == 64
