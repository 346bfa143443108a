"""What checkpoints of one kind share: a model that takes the weights of each, and tokens of texts."""

from dataclasses import dataclass

import torch

from conf.schema import TrainConfig
from evaluation.encoding.encoder import Encoder, encoder_of
from evaluation.encoding.tokens import Tokens
from training.checkpoints.state import Tensors, load_weights
from training.procedure import Procedure, make_procedure


@dataclass(frozen=True, kw_only=True, slots=True)
class Built:
    """The model of a procedure, and the name of its kind."""

    kind: str
    procedure: Procedure
    model: torch.nn.Module


class Kinds:
    """Makes encoders, of which only the newest is of use: it may have the model of the one before."""

    def __init__(self) -> None:
        self._built: Built | None = None
        self._tokens: dict[str, Tokens] = {}

    def encoder(self, train: TrainConfig, weights: Tensors) -> Encoder:
        """Return the encoder of what was trained, with these weights, in the precision of training."""
        built = self._of(train)
        load_weights(built.model, weights)
        if built.kind not in self._tokens:
            self._tokens[built.kind] = Tokens(built.procedure.tokenizer())
        return encoder_of(built.procedure, built.model, train.precision, self._tokens[built.kind])

    def _of(self, train: TrainConfig) -> Built:
        kind = repr((train.procedure, train.model))
        if self._built is None or self._built.kind != kind:
            self._built = None  # so that two are never in memory
            procedure = make_procedure(train.procedure, train.model)
            self._built = Built(kind=kind, procedure=procedure, model=procedure.build(0))
        return self._built
