"""The training loop: stages, epochs, steps, resumable at any time."""
import collections
import copy
import math
import pathlib
import time

import numpy as np
import torch

from espnet_ros import process
from espnet_ros.deploy.deploy import Deployed
from espnet_ros.errors import ModelError, ParameterError
from espnet_ros.network import build
from espnet_ros.training import checkpoints
from espnet_ros.training.checkpoints import Checkpoint
from espnet_ros.training.loading import loader, read_all, steps_of
from espnet_ros.training.logbook import Logbook
from espnet_ros.training.optimization import (
    learning_rate,
    make_optimizer,
    mixed_precision,
    update_ema,
    weighted_loss,
)
from espnet_ros.training.prelu import patch_prelu
from espnet_ros.training.transfer import transfer
from espnet_ros.training.validation import Validator


class Callback:
    """Receives the progress of a training and is its context manager; this one does nothing."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def begin(self, stage, done, steps, note):
        """Called when a Stage begins, at step `done` of `steps`; note: where its weights come from."""

    def step(self, loss):
        """Called after each step."""

    def epoch(self, row):
        """Called after each epoch with its row of the log."""


def train(plan, folder, group, workers=0, restart=False, callback=Callback()):
    """Train as a plan.Plan specifies; return the network in evaluation mode and the rows of the log.

    folder: for checkpoint, log, curves and pictures; an interrupted training in it is resumed, unless `restart` allows
    to discard it. group: process_group.ProcessGroup. workers: number of data loading processes of each training
    process.

    The result does not depend on interruptions or workers. Several processes compute the gradient of the whole batch,
    as one process would, provided that batch normalization is synchronized (GPUs, setting sync_batch_norm). On CPUs
    each process normalizes with the statistics of its own share of the batch, and the running statistics are those of
    rank 0. Raises EspnetError; the last checkpoint is kept.
    """
    folder = pathlib.Path(folder)
    kept = group.on_first(lambda: _prepare(folder, plan.identity, restart))
    if group.device.type == 'cpu':
        process.keep_freed_memory()  # a step allocates gigabytes: otherwise a fifth of its time is page faults
    log = group.on_all(lambda: Logbook(folder, kept.rows if kept else ()) if group.is_first else None)
    if group.device.type == 'cuda':
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
    state = None
    try:
        for stage in plan.stages:
            if kept and kept.stage > stage.number:
                continue
            run = _Stage(plan, stage, group, folder, workers, log, callback, state)
            if kept and kept.stage == stage.number:
                run.resume(kept)
            state = run.run()
    finally:
        if log is not None:
            log.close()
    network = build(plan.card.architecture)
    network.load_state_dict(state)
    return network.eval(), log.rows if log else []


def parallel(network, settings, group):
    """Return the network for training in all processes of the group; it shares its parameters with `network`."""
    if group.size == 1:
        return network
    if settings.sync_batch_norm and group.can_sync_batch_norm:
        network = torch.nn.SyncBatchNorm.convert_sync_batchnorm(network)  # in place: only its modules are replaced
    return torch.nn.parallel.DistributedDataParallel(network, [group.device] if group.device.type == 'cuda' else None)


def _prepare(folder, identity, restart):
    """Create the folder and return the Checkpoint in it; None when there is none or it may be discarded."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for partial in folder.glob(checkpoints.FILE + '.*.partial'):  # of a training that was killed while writing
            partial.unlink()
        if restart:
            (folder / checkpoints.FILE).unlink(missing_ok=True)
    except OSError as error:
        raise ParameterError("cannot write '{}': {}".format(folder, error.strerror or error))
    return checkpoints.read(folder, identity)


class _Stage:
    """One stage of a training; encoder: the state dict of the stage before, or None."""

    def __init__(self, plan, stage, group, folder, workers, log, callback, encoder):
        self._plan, self._stage, self._group, self._folder, self._workers = plan, stage, group, folder, workers
        self._log, self._callback, self._settings = log, callback, plan.settings
        self._batch = plan.settings.batch_of(stage)
        self._steps = steps_of(stage, self._batch)
        torch.manual_seed(plan.settings.seed + stage.number)
        self._network = build(plan.architecture(stage))
        self._note = self._initialize(encoder)
        self._network.to(group.device, memory_format=torch.channels_last)
        self._ema = copy.deepcopy(self._network).eval() if plan.settings.ema else None
        if group.device.type == 'cpu':
            patch_prelu(self._network)
        self._optimizer = make_optimizer(plan.settings, self._network, stage.name)
        self._precision, self._scaler = mixed_precision(plan.settings, group.device)
        self._parallel = parallel(self._network, plan.settings, group)
        self._best: dict = {}
        self._epoch = self._step = 0
        self._losses: list[float] = []
        weights = np.zeros(256, np.float32)
        weights[:len(plan.class_weights)] = plan.class_weights
        self._weights = torch.from_numpy(weights).to(group.device)
        self._normalize = Deployed(torch.nn.Identity(), plan.card).to(group.device).normalize
        self._validator = Validator(plan.card, plan.validation, group,
                                    lambda samples, indices: read_all(samples, indices, workers))

    def _initialize(self, encoder):
        """Load what pretrained weights there are and return a description of their origin."""
        notes = []
        if encoder is not None:
            notes.append('the encoder of the first stage')
        if self._plan.start and (encoder is None or self._stage.name == 'espnet'):
            card = self._plan.card
            notes.append('{} ({})'.format(self._plan.start.model.card.name, transfer(
                self._plan.start, self._network, card.label_set, card.outputs)))
        if encoder is not None:
            target = self._network.encoder if self._stage.name == 'espnet' else self._network
            target.load_state_dict(encoder)
        if self._plan.backbone:
            self._plan.backbone.fill(self._network)
            notes.append('a backbone of {} tensors'.format(len(self._plan.backbone.tensors)))
        return ' and '.join(notes) or 'random weights'

    def resume(self, kept):
        """Continue from a Checkpoint of this stage."""
        try:
            self._network.load_state_dict(kept.network)
            if self._ema is not None:
                self._ema.load_state_dict(kept.ema)
            self._optimizer.load_state_dict(kept.optimizer)
            if self._scaler is not None:
                self._scaler.load_state_dict(kept.scaler)
        except (RuntimeError, ValueError, KeyError) as error:
            raise ModelError("the checkpoint in '{}' does not fit: {}".format(
                self._folder, str(error).splitlines()[0]))
        self._best, self._epoch, self._step, self._losses = kept.best, kept.epoch, kept.step, list(kept.losses)
        self._note = 'the checkpoint after epoch {}{}'.format(
            kept.epoch, ' and {} steps'.format(kept.step) if kept.step else '')

    def run(self):
        """Train the remaining epochs and return the final state dict of the stage."""
        self._callback.begin(self._stage, self._epoch * self._steps + self._step, self._stage.epochs * self._steps,
                             self._note)
        batches = loader(self._settings, self._stage, self._group, self._workers, self._epoch, self._step)
        try:
            while self._epoch < self._stage.epochs:
                self._run_epoch(batches)
        finally:
            batches.close()
        if self._settings.select == 'best' and self._best:
            return self._best['network']
        return _cpu_state(self._kept)

    @property
    def _kept(self):
        """The network that is validated and saved as the model."""
        return self._network if self._ema is None else self._ema

    def _run_epoch(self, batches):
        began, waited, images = time.perf_counter(), 0.0, 0
        self._parallel.train()
        while self._step < self._steps:
            asked = time.perf_counter()
            batch = self._group.on_all(lambda: next(batches))
            waited += time.perf_counter() - asked
            self._losses.append(self._train(batch))
            self._step += 1
            images += self._batch
            self._callback.step(self._losses[-1])
            every = self._settings.checkpoint_steps
            if every and self._step % every == 0 and self._step < self._steps:
                self._write_checkpoint()
        seconds = time.perf_counter() - began
        row = {'stage': self._stage.number, 'epoch': self._epoch + 1, 'loss': round(float(np.mean(self._losses)), 5),
               'rate': self._rate(), 'seconds': round(seconds, 2),
               'images per second': round(images / seconds, 2) if seconds else 0.0,
               'waiting': round(waited / seconds, 4) if seconds else 0.0}
        self._epoch, self._step, self._losses = self._epoch + 1, 0, []
        last = self._epoch == self._stage.epochs
        if self._plan.validation and (last or self._epoch % self._settings.validate_epochs == 0):
            self._group.broadcast(self._kept.buffers())  # running statistics differ where they are per process
            row.update(self._validator.scores(self._kept))
            self._update_best(row)
        self._group.on_all(lambda: self._log_row(row, last or self._epoch % self._settings.picture_epochs == 0))
        self._write_checkpoint()
        self._callback.epoch(row)

    def _log_row(self, row, draw):
        if self._log is not None:
            self._log.add(row)
            if draw:
                self._log.draw(self._validator.pictures(self._kept))

    def _train(self, batch):
        """Do one optimizer step and return its loss."""
        for parameters in self._optimizer.param_groups:
            parameters['lr'] = self._rate() * parameters['share']
        image = self._normalize(batch.image.to(self._group.device, non_blocking=True))
        labels = batch.labels.to(self._group.device, non_blocking=True).long()
        with torch.autocast(self._group.device.type, self._precision, enabled=self._precision is not None):
            logits = self._parallel(image.contiguous(memory_format=torch.channels_last))
        loss, pixels = weighted_loss(logits, labels, self._weights, self._settings.label_smoothing)
        # The mean over the labeled pixels of all processes, not the mean of their means.
        sums = self._group.all_reduce(torch.stack([loss.detach(), pixels]))
        pixels = sums[1].clamp(min=1e-6)
        value = (sums[0] / pixels).item()
        if not math.isfinite(value):
            self._stop('the loss became {}'.format(value), batch)
        loss = loss / pixels * self._group.size  # DistributedDataParallel averages the gradients
        self._optimizer.zero_grad()
        if self._scaler is not None:
            self._scaler.scale(loss).backward()
            self._scaler.unscale_(self._optimizer)
        else:
            loss.backward()
        if self._settings.gradient_norm:
            torch.nn.utils.clip_grad_norm_(self._network.parameters(), self._settings.gradient_norm)
        if self._scaler is not None:
            self._scaler.step(self._optimizer)
            self._scaler.update()
        else:
            self._optimizer.step()
        if self._ema is not None:
            done = self._epoch * self._steps + self._step + 1
            update_ema(self._ema, self._network, min(self._settings.ema, done / (done + 9)))
        return value

    def _rate(self):
        progress = (self._epoch + self._step / self._steps) / self._stage.epochs
        return learning_rate(self._settings, min(progress, 1.0), self._epoch)

    def _update_best(self, row):
        score = row['{} class mIOU'.format(self._plan.validation[0].name)]
        if self._settings.select == 'best' and score >= self._best.get('score', -1.0):
            self._best = {'score': score, 'network': _cpu_state(self._kept)}

    def _write_checkpoint(self):
        if not all(bool(torch.isfinite(p).all()) for p in self._network.parameters()):
            self._stop('weights became infinite or NaN')
        self._group.on_all(lambda: checkpoints.write(self._checkpoint(), self._folder)
                           if self._log is not None else None)

    def _checkpoint(self):
        return Checkpoint(
            self._plan.identity, self._stage.number, self._epoch, self._step, self._losses, _cpu_state(self._network),
            {} if self._ema is None else _cpu_state(self._ema), self._optimizer.state_dict(),
            {} if self._scaler is None else self._scaler.state_dict(), self._best, self._log.rows)

    def _stop(self, what, batch=None):
        names = [name for share in self._group.all_gather(batch.names) for name in share] if batch else []
        raise ParameterError(
            'stage {}, epoch {}, step {}: {}{}; the last checkpoint is kept. Lower learning_rate or set '
            'gradient_norm'.format(self._stage.number, self._epoch + 1, self._step + 1, what,
                                   ', on ' + '; '.join(names) if names else ''))


def _cpu_state(network):
    return collections.OrderedDict((k, v.detach().cpu().clone()) for k, v in network.state_dict().items())
