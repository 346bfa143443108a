"""The typed, frozen shape of every configuration.

The YAML files beside this module give values, this module gives names, types and defaults. Fields
marked `NOT_IN_KEY` say how or where a run is carried out; all others are its science and enter its
key (see `sweeps.runs.identity`), unless they stand outside `TrainConfig`.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any

from msgspec import Meta

MOST = 1e300
"""No float may be more; so infinity and NaN, which no JSON file can hold, are refused everywhere."""

Natural = Annotated[int, Meta(ge=0)]
Positive = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(ge=0, le=1)]
Decay = Annotated[float, Meta(ge=0, lt=1)]
NotNegative = Annotated[float, Meta(ge=0, le=MOST)]
AboveZero = Annotated[float, Meta(gt=0, le=MOST)]
Growth = Annotated[float, Meta(ge=1.1, le=MOST)]
Seed = Annotated[int, Meta(ge=0, le=2**63 - 1)]

NOT_IN_KEY = {"in_key": False}
"""Field metadata: this field does not change what is trained, so it is left out of the key."""


class Precision(Enum):
    """Arithmetic of the forward and backward pass; weights and optimiser are always fp32.

    `tf32`: fp32 whose products a GPU rounds to 10 bits. `bf16`: torch's autocast.
    """

    fp32 = "fp32"
    tf32 = "tf32"
    bf16 = "bf16"


class Sharding(Enum):
    """What of weights, gradients and optimiser each rank has: all, or its share (torch's FSDP2)."""

    none = "none"
    fsdp2 = "fsdp2"


class ScheduleName(Enum):
    """Course of the learning rate over a run."""

    cosine = "cosine"
    constant = "constant"
    constant_cooldown = "constant_cooldown"


class CooldownShape(Enum):
    """How the learning rate falls to zero in a cooldown."""

    linear = "linear"
    one_minus_sqrt = "one_minus_sqrt"


class ClusterKind(Enum):
    """Who runs the work items."""

    local = "local"
    slurm = "slurm"


class HookMoment(Enum):
    """What has to be complete for a hook to be called."""

    checkpoint = "checkpoint"
    run = "run"
    sweep = "sweep"


class WandbMode(Enum):
    """How metrics reach wandb."""

    online = "online"
    offline = "offline"
    disabled = "disabled"


class OutputFormat(Enum):
    """What a command prints on standard output."""

    text = "text"
    json = "json"


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig:
    """A model by name, or with a model config of open_clip's JSON form spelled out.

    In `config`, `text_cfg.tokenizer_kwargs.bpe_path` is relative to `conf/model/`. `image_size`, in
    pixels, and `context_length`, in tokens, replace the model's own. `patch_dropout`: share of an
    image's patches that training leaves out.
    """

    name: str
    config: dict[str, Any] | None = None
    image_size: Positive | None = None
    context_length: Positive | None = None
    patch_dropout: Decay | None = None

    @property
    def label(self) -> str:
        """Its name, with what makes one step cost more or less than it does by its own config."""
        sizes = {"px": self.image_size, "tokens": self.context_length, "dropped": self.patch_dropout}
        return " ".join([self.name, *(f"{size:g}{unit}" for unit, size in sizes.items() if size)])


@dataclass(frozen=True, kw_only=True, slots=True)
class OrderConfig:
    """Parameters of the sample order (see `training.data.order`).

    `num_lanes` null: the largest power of two up to 64 that divides the global batch.
    """

    num_lanes: Positive | None = None
    window_shards: Positive = 16
    chunk_samples: Positive = 64
    block_samples: Positive = 4096


@dataclass(frozen=True, kw_only=True, slots=True)
class SubsetConfig:
    """Those samples of a source whose uid is in a list; without a name it is all of them.

    `uids`: a sorted `.npy` of u8,u8 pairs, as DataComp has them; a relative one is under the root.
    """

    name: str = ""
    uids: str = field(default="", metadata=NOT_IN_KEY)


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceConfig:
    """One source of a mixture; `weight` is proportional to its share of the samples trained."""

    name: str
    shards: str = field(metadata=NOT_IN_KEY)
    weight: AboveZero = 1.0
    subset: SubsetConfig = field(default_factory=SubsetConfig)


@dataclass(frozen=True, kw_only=True, slots=True)
class DataConfig:
    """Image-text pairs in WebDataset tar shards, as img2dataset writes them.

    `shards`: brace patterns, several joined by `::`; a relative one is under the root. Or `sources`,
    which are mixed by weight.
    `generator`: `_target_` and arguments of a function that writes the shards where they are absent.
    `resampled`: draw shards with replacement. `crop_scale`: range of the random crop's share of area.
    `max_bad_fraction`: if more of the samples cannot be decoded, the run stops.
    """

    name: str
    shards: str = field(default="", metadata=NOT_IN_KEY)
    subset: SubsetConfig = field(default_factory=SubsetConfig)
    sources: tuple[SourceConfig, ...] = ()
    generator: dict[str, Any] | None = None
    resampled: bool = False
    crop_scale: tuple[Share, Share] = (0.9, 1.0)
    order: OrderConfig = field(default_factory=OrderConfig)
    max_bad_fraction: Share = field(default=0.01, metadata=NOT_IN_KEY)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProcedureConfig:
    """How a model is built and what its loss is: `_target_` names a class (`training.procedure`)."""

    _target_: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class OptimConfig:
    """AdamW; biases, gains and the logit scale are not decayed.

    A step whose loss or gradient is no finite number is skipped; after `max_skipped_steps` in a row
    the run stops.
    """

    lr: AboveZero
    beta1: Decay = 0.9
    beta2: Decay = 0.98
    eps: AboveZero = 1e-6
    weight_decay: NotNegative = 0.2
    grad_clip_norm: AboveZero | None = None
    max_skipped_steps: Natural = field(default=10, metadata=NOT_IN_KEY)


@dataclass(frozen=True, kw_only=True, slots=True)
class ScheduleConfig:
    """Course of the learning rate. Durations read `10%`, `2000 steps` or `1_000_000 samples`."""

    name: ScheduleName
    warmup: str = "10%"
    cooldown: str = "20%"
    cooldown_shape: CooldownShape = CooldownShape.linear


@dataclass(frozen=True, kw_only=True, slots=True)
class StageConfig:
    """A stretch of a run: so many `samples`, and what it changes of the run's config.

    `model` may change `image_size`, `context_length` and `patch_dropout`: the positions of the weights
    that come from the stage before are interpolated. AdamW begins anew, so warm up again.
    """

    samples: Positive
    model: dict[str, Any] = field(default_factory=dict)
    optim: dict[str, Any] = field(default_factory=dict)
    schedule: dict[str, Any] = field(default_factory=dict)
    global_batch_size: Positive | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StageSchedule:
    """Learning rate over one stage, in its own optimiser steps; `total_steps` null = no end."""

    shape: str
    warmup_steps: Natural = 0
    total_steps: Positive | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    """The science of one stage: all that its key hashes, besides where it starts and ends.

    `fresh_optimizer`: of the state that it starts from it takes the weights only.
    """

    model: ModelConfig
    data: DataConfig
    procedure: ProcedureConfig
    optim: OptimConfig
    schedule: StageSchedule
    global_batch_size: Positive
    precision: Precision = Precision.fp32
    seed: Seed = 0
    fresh_optimizer: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckpointConfig:
    """Which checkpoints are kept for evaluation, and how often the full state is saved.

    `milestones`: samples seen, written out. Else `first_milestone` times powers of
    `milestone_factor`; else every `samples_per_epoch` where a run has epochs. The end always counts.
    """

    milestones: tuple[Positive, ...] = ()
    first_milestone: Positive | None = None
    milestone_factor: Growth = 2.0
    save_every_s: NotNegative = 600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ResourceConfig:
    """How a run is laid out on a machine; no part of its science.

    Ranks × micro-batch × `accumulation` is the global batch: of so many micro-batches a rank's share of
    each step is made. `cut_padding`: texts are read to their ends only where a model's features do not
    depend on what lies behind. `activation_checkpointing`: each block of a model
    is computed once more in the backward pass instead of kept. `compile`: by torch.compile.
    `deterministic`: on a GPU, too, equal runs end in equal bits, which takes slower algorithms.
    """

    num_ranks: Positive = 1
    ranks_per_node: Positive | None = None
    threads_per_rank: Positive = 1
    num_workers: Natural = 0
    accumulation: Positive = 1
    cut_padding: bool = True
    activation_checkpointing: bool = False
    compile: bool = False
    deterministic: bool = False
    sharding: Sharding = Sharding.none

    @property
    def num_cores(self) -> int:
        """CPU cores kept busy by all ranks together."""
        return self.num_ranks * (self.threads_per_rank + self.num_workers)


@dataclass(frozen=True, kw_only=True, slots=True)
class EvalDatasetConfig:
    """A test set in CLIP_benchmark's WebDataset layout; a relative `path` is under the root."""

    path: str
    generator: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class EvalSpec:
    """One eval: an evaluator (`_target_`) on a dataset. A changed protocol is a new version.

    `main_metric`: the one that laws are of, and that counts in the suite's mean, to which an eval
    without one adds nothing.
    """

    _target_: str
    name: str
    dataset: str
    version: Positive = 1
    options: dict[str, Any] = field(default_factory=dict)
    main_metric: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class EvalConfig:
    """A suite: the evals that every checkpoint gets."""

    name: str
    datasets: dict[str, EvalDatasetConfig]
    evals: tuple[EvalSpec, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class RunConfig:
    """One training recipe, how it is laid out, and what its checkpoints are scored on.

    `samples_seen`, or `epochs` and `samples_per_epoch` (of which it is the product), or `stages` (whose
    samples it is the sum of).
    """

    model: ModelConfig
    data: DataConfig
    procedure: ProcedureConfig
    optim: OptimConfig
    schedule: ScheduleConfig
    eval: EvalConfig
    global_batch_size: Positive
    samples_seen: Positive | None = None
    epochs: Positive | None = None
    samples_per_epoch: Positive | None = None
    stages: tuple[StageConfig, ...] = ()
    precision: Precision = Precision.fp32
    seed: Seed = 0
    checkpoints: CheckpointConfig = field(default_factory=CheckpointConfig)
    resources: ResourceConfig = field(default_factory=ResourceConfig)


@dataclass(frozen=True, kw_only=True, slots=True)
class ClusterConfig:
    """A machine, and how jobs are handed to it. What is null is left to the scheduler's defaults.

    `cores_per_node`, `gpus_per_node`, `gpu`: what one node has (null: this machine's own cores), as the
    scheduler counts it: hardware threads where those are what it hands out.
    `charged_cores_per_node`: core-hours that a node-hour costs, where nodes are not shared.
    `host_suffix`: appended to the first host's name to reach it over the fast network.
    `signal_s`: seconds before the time limit at which a checkpoint is asked for.
    `modules`, `env`: loaded and exported in every job; a module that does not load ends it. `sbatch`:
    further options by long name, without a value where it is empty.
    `beat_s`: a holder renews its lease so often; `stale_s`: a lease unchanged for so long may be
    taken over, if the queue agrees (network file systems hide changes for up to a minute).
    `price_per_gpu_hour`, in `currency`: what an hour of a GPU costs, used or not (null: not known).
    `pass_from_jobs`: a job that ends launches its sweep again, where compute nodes may submit.
    """

    name: str
    kind: ClusterKind
    account: str | None = None
    partition: str | None = None
    qos: str | None = None
    time_min: Positive = 60
    signal_s: Positive = 300
    cores_per_node: Positive | None = None
    gpus_per_node: Natural = 0
    gpu: str | None = None
    ranks_per_node: Positive | None = None
    charged_cores_per_node: Positive | None = None
    host_suffix: str = ""
    modules: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    sbatch: dict[str, str] = field(default_factory=dict)
    srun_args: tuple[str, ...] = ()
    max_array_size: Positive = 1000
    max_parallel: Positive = 256
    beat_s: AboveZero = 20.0
    stale_s: AboveZero = 180.0
    price_per_gpu_hour: NotNegative | None = None
    currency: str = "EUR"
    pass_from_jobs: bool = False

    @property
    def allocates_whole_nodes(self) -> bool:
        """Whether a job has its nodes to itself, and pays for all of them."""
        return self.charged_cores_per_node is not None


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetConfig:
    """What a sweep may be charged at most, by all its submissions ever; null = no cap.

    What would exceed it waits; what runs already is not ended.
    """

    gpu_hours: NotNegative | None = None
    core_hours: NotNegative | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyConfig:
    """Patience and limits of the launcher and its supervisors; `_s` are seconds.

    `settle_s`: so far apart are two queue answers that give up an unresolved submission.
    `lock_stale_s`: a lock of another host whose heartbeat is so old is dead. `lock_wait_s`: so long a
    launcher waits for another one to end. `stall_s`: a run without
    new samples for so long hangs. `fruitless_attempts`: held after so many attempts without new
    samples. `scores_per_item`: checkpoints scored by one work item. `poll_s`: between two passes of
    `watch`. `client_timeout_s`: for one call of a scheduler's command. `lost_machines`: gone for good,
    as the ledger names them (local@host); what was submitted there is given up. `quarantine_h`: hours
    for which jobs avoid a node that failed.
    """

    settle_s: NotNegative = 30.0
    lock_stale_s: AboveZero = 300.0
    lock_wait_s: NotNegative = 0.0
    stall_s: AboveZero = 1800.0
    fruitless_attempts: Positive = 3
    scores_per_item: Positive = 32
    poll_s: AboveZero = 60.0
    client_timeout_s: AboveZero = 60.0
    lost_machines: tuple[str, ...] = ()
    quarantine_h: AboveZero = 24.0


@dataclass(frozen=True, kw_only=True, slots=True)
class WandbConfig:
    """Whether and where trainings are shown on wandb; `offline` writes files for `wandb sync`."""

    mode: WandbMode = WandbMode.disabled
    project: str = "isogrid"
    entity: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LaunchConfig:
    """What belongs to a launch rather than to a run.

    `hooks`: entries that `launcher.reconcile.hooks` reads. `root` null: `runs/` in the checkout.
    """

    cluster: ClusterConfig
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    policy: PolicyConfig = field(default_factory=PolicyConfig)
    wandb: WandbConfig = field(default_factory=WandbConfig)
    hooks: tuple[Any, ...] = ()
    root: str | None = None
    format: OutputFormat = OutputFormat.text


@dataclass(frozen=True, kw_only=True, slots=True)
class BlockConfig:
    """A product of axes, and its exceptions. `sweeps.composing.grid` says what the fields mean."""

    axes: dict[str, Any]
    set: dict[str, Any] = field(default_factory=dict)
    cells: tuple[dict[str, Any], ...] = ()
    include: tuple[dict[str, Any], ...] = ()
    exclude: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepConfig:
    """A named, finite set of runs: a union of blocks; `set` holds for all of them."""

    name: str
    blocks: tuple[BlockConfig, ...]
    set: dict[str, Any] = field(default_factory=dict)
