"""The training itself: stages, epochs, steps; interrupted at any time, it goes on exactly."""
import collections
import copy
import math
import pathlib
import time

import numpy as np
import torch
from torch.nn import functional

from espnet_ros import process
from espnet_ros.errors import ModelError, ParameterError
from espnet_ros.labels import UNLABELED
from espnet_ros.network import build
from espnet_ros.training import checkpoints
from espnet_ros.training.checkpoints import Checkpoint
from espnet_ros.training.logbook import Logbook
from espnet_ros.training.mixture import loader, read_all, steps_of
from espnet_ros.training.prelu import quicken
from espnet_ros.training.transfer import transfer
from espnet_ros.training.validation import Validator

_OPTIMIZERS = {'adam': torch.optim.Adam, 'adamw': torch.optim.AdamW}


class Watch:
    """Is told how a training goes, and does nothing; a context in which it goes."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def begin(self, stage, done, steps, note):
        """A Stage begins, at step `done` of `steps`; note: what its weights begin with."""

    def step(self, loss):
        """A step is done."""

    def epoch(self, row):
        """An epoch is done; row: of the log."""


def train(plan, folder, team, workers=0, restart=False, watch=Watch()):
    """Train as the plan.Plan says; return the network, in evaluation mode, and the rows of the log.

    folder: for checkpoint, log, curves and pictures; what an interrupted training left there is taken up again, unless
    `restart` says that it may be lost. team: team.Team. workers: processes of each process of it that read images.
    Raises EspnetError; the last checkpoint stays.
    """
    folder = pathlib.Path(folder)
    kept = team.first(lambda: _left_in(folder, plan.identity, restart))
    if team.device.type == 'cpu':
        process.keep_freed_memory()  # a step takes gigabytes: a fifth of its time would be page faults
    log = team.together(lambda: Logbook(folder, kept.rows if kept else ()) if team.is_first else None)
    if team.device.type == 'cuda':
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
    state = None
    try:
        for stage in plan.stages:
            if kept and kept.stage > stage.number:
                continue
            run = _Stage(plan, stage, team, folder, workers, log, watch, state)
            if kept and kept.stage == stage.number:
                run.go_on(kept)
            state = run.run()
    finally:
        if log is not None:
            log.close()
    network = build(plan.card.architecture)
    network.load_state_dict(state)
    return network.eval(), log.rows if log else []


def _left_in(folder, identity, restart):
    """Make the folder, and return the Checkpoint in it, None when there is none or it may be lost."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for partial in folder.glob(checkpoints.FILE + '.*.partial'):  # of a training that was killed while it wrote
            partial.unlink()
        if restart:
            (folder / checkpoints.FILE).unlink(missing_ok=True)
    except OSError as error:
        raise ParameterError("cannot write '{}': {}".format(folder, error.strerror or error))
    return checkpoints.read(folder, identity)


class _Stage:
    """One stage. encoder: the state dict that the stage before has ended with, or None."""

    def __init__(self, plan, stage, team, folder, workers, log, watch, encoder):
        self._plan, self._stage, self._team, self._folder, self._workers = plan, stage, team, folder, workers
        self._log, self._watch, self._settings = log, watch, plan.settings
        self._steps = steps_of(stage, plan.settings.batch)
        torch.manual_seed(plan.settings.seed + stage.number)
        self._network = build(plan.architecture(stage))
        self._note = self._begin_with(encoder)
        self._network.to(team.device, memory_format=torch.channels_last)
        self._average = copy.deepcopy(self._network).eval() if plan.settings.average else None
        if team.device.type == 'cpu':
            quicken(self._network)
        self._optimizer = _OPTIMIZERS[plan.settings.optimizer](
            self._groups(), lr=plan.settings.learning_rate, weight_decay=plan.settings.weight_decay)
        self._precision, self._scaler = _mixed_precision(plan.settings, team.device)
        self._trained = _distributed(self._network, team)
        self._best: dict = {}
        self._epoch = self._step = 0
        self._losses: list[float] = []
        table = np.zeros(256, np.float32)
        table[:len(plan.class_weights)] = plan.class_weights
        self._weights = torch.from_numpy(table).to(team.device)
        mean, std = (torch.tensor(v, dtype=torch.float32, device=team.device).view(1, 3, 1, 1)
                     for v in (plan.card.mean, plan.card.std))
        self._shift, self._scale = mean, 1.0 / (std * plan.card.divisor)
        self._validator = Validator(plan.card, plan.validation, team,
                                    lambda samples, numbers: read_all(samples, numbers, workers))

    def _begin_with(self, encoder):
        """Fill the network with what there is; return what that was, in words."""
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
        return ' and '.join(notes) or 'fresh weights'

    def _groups(self):
        """The parameters by their share of the learning rate."""
        if self._stage.name != 'espnet':
            return [{'params': list(self._network.parameters()), 'share': 1.0}]
        encoder = list(self._network.encoder.parameters())
        known = set(map(id, encoder))
        return [{'params': encoder, 'share': self._settings.encoder_rate},
                {'params': [p for p in self._network.parameters() if id(p) not in known], 'share': 1.0}]

    def go_on(self, kept):
        """Continue from a Checkpoint of this stage."""
        try:
            self._network.load_state_dict(kept.network)
            if self._average is not None:
                self._average.load_state_dict(kept.average)
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
        """Train what is left, and return the state dict that the stage ends with."""
        self._watch.begin(self._stage, self._epoch * self._steps + self._step, self._stage.epochs * self._steps,
                          self._note)
        batches = loader(self._settings, self._stage, self._team, self._workers, self._epoch, self._step)
        try:
            while self._epoch < self._stage.epochs:
                self._run_epoch(batches)
        finally:
            batches.close()
        if self._settings.select == 'best' and self._best:
            return self._best['network']
        return _detached(self._kept)

    @property
    def _kept(self):
        """The network that is validated and kept."""
        return self._network if self._average is None else self._average

    def _run_epoch(self, batches):
        began, waited, images = time.perf_counter(), 0.0, 0
        self._trained.train()
        while self._step < self._steps:
            asked = time.perf_counter()
            batch = self._team.together(lambda: next(batches))
            waited += time.perf_counter() - asked
            self._losses.append(self._train(batch))
            self._step += 1
            images += self._settings.batch
            self._watch.step(self._losses[-1])
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
            self._team.share(self._kept.buffers())  # every process has met other images
            row.update(self._validator.scores(self._kept))
            self._keep_best(row)
        self._team.together(lambda: self._write_down(row, last or self._epoch % self._settings.picture_epochs == 0))
        self._write_checkpoint()
        self._watch.epoch(row)

    def _write_down(self, row, draw):
        if self._log is not None:
            self._log.add(row)
            if draw:
                self._log.draw(self._validator.pictures(self._kept))

    def _train(self, batch):
        """Take a step and return its loss."""
        for group in self._optimizer.param_groups:
            group['lr'] = self._rate() * group['share']
        image = batch.image.to(self._team.device, non_blocking=True)
        labels = batch.labels.to(self._team.device, non_blocking=True).long()
        image = ((image.float() - self._shift) * self._scale).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self._team.device.type, self._precision, enabled=self._precision is not None):
            logits = self._trained(image)
        # As rows of a matrix, which is how they lie in memory: a softmax over images would copy them first.
        rows = logits.permute(0, 2, 3, 1).reshape(-1, logits.shape[1])
        loss = functional.cross_entropy(
            rows.float(), labels.flatten(), self._weights[:logits.shape[1]], ignore_index=UNLABELED, reduction='sum',
            label_smoothing=self._settings.label_smoothing)
        # Per pixel, weighted, of all processes together: one process with the whole batch would compute the same.
        sums = self._team.total(torch.stack([loss.detach(), self._weights[labels].sum()]))
        pixels = sums[1].clamp(min=1e-6)
        value = (sums[0] / pixels).item()
        if not math.isfinite(value):
            self._stop('the loss became {}'.format(value), batch)
        loss = loss / pixels * self._team.size  # the processes' gradients will be averaged
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
        if self._average is not None:
            done = self._epoch * self._steps + self._step + 1
            _approach(self._average, self._network, min(self._settings.average, done / (done + 9)))
        return value

    def _rate(self):
        progress = (self._epoch + self._step / self._steps) / self._stage.epochs
        return learning_rate(self._settings, min(progress, 1.0), self._epoch)

    def _keep_best(self, row):
        score = row['{} class mIOU'.format(self._plan.validation[0].name)]
        if self._settings.select == 'best' and score >= self._best.get('score', -1.0):
            self._best = {'score': score, 'network': _detached(self._kept)}

    def _write_checkpoint(self):
        if not all(bool(torch.isfinite(p).all()) for p in self._network.parameters()):
            self._stop('weights became infinite or NaN')
        self._team.together(lambda: checkpoints.write(self._checkpoint(), self._folder)
                            if self._log is not None else None)

    def _checkpoint(self):
        return Checkpoint(
            self._plan.identity, self._stage.number, self._epoch, self._step, self._losses,
            _detached(self._network), {} if self._average is None else _detached(self._average),
            self._optimizer.state_dict(), {} if self._scaler is None else self._scaler.state_dict(), self._best,
            self._log.rows)

    def _stop(self, what, batch=None):
        names = [name for share in self._team.gather(batch.names) for name in share] if batch else []
        raise ParameterError(
            'stage {}, epoch {}, step {}: {}{}; the checkpoint before it is kept. Lower learning_rate or set '
            'gradient_norm'.format(self._stage.number, self._epoch + 1, self._step + 1, what,
                                   ', on ' + '; '.join(names) if names else ''))


def learning_rate(settings, progress, epoch):
    """Return the rate of a settings.Settings; progress: share of the stage that is done. epoch: those that are."""
    if settings.schedule == 'step':
        share = settings.step_factor ** (epoch // settings.step_epochs)
    else:
        falling = {'poly': (1 - progress) ** settings.poly_power,
                   'cosine': (1 + math.cos(math.pi * progress)) / 2}[settings.schedule]
        share = settings.final_rate + (1 - settings.final_rate) * falling
    # Not from zero: a step without effect is lost.
    rise = min(1.0, (progress + 1e-3) / (settings.warmup + 1e-3)) if settings.warmup else 1.0
    return settings.learning_rate * share * rise


def _mixed_precision(settings, device):
    """Return the dtype for autocast and a GradScaler, both None where they are not used.

    On CPUs bfloat16 is not used: oneDNN's weight gradient of dilated convolutions gives NaN or crashes (PyTorch 2.13,
    Zen 5).
    """
    if not settings.mixed_precision or device.type != 'cuda':
        return None, None
    if torch.cuda.get_device_capability(device) >= (8, 0):  # older ones only emulate it
        return torch.bfloat16, None
    return torch.float16, torch.amp.GradScaler('cuda')


def _distributed(network, team):
    if team.size == 1:
        return network
    if team.device.type == 'cuda':
        return torch.nn.parallel.DistributedDataParallel(network, [team.device])
    return torch.nn.parallel.DistributedDataParallel(network)


def _approach(average, network, decay):
    with torch.no_grad():
        for kept, new in zip(average.state_dict().values(), network.state_dict().values()):
            if kept.is_floating_point():
                kept.lerp_(new, 1 - decay)
            else:
                kept.copy_(new)


def _detached(network):
    return collections.OrderedDict((k, v.detach().cpu().clone()) for k, v in network.state_dict().items())

