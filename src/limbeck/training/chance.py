"""Chance: what is drawn in a training is a function of seed, step and micro-batch.

Dropout then follows from where a training is, so that nothing of it need be saved, and it matters not which process
computes what. In: numbers. Out: seeded generators. It does not know what is drawn.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def own_chance() -> Iterator[None]:
    """Give the caller's generators of random numbers back as they were: a training seeds them as it needs them.

    Torch has one generator per device for the whole process. Two trainings in threads of one process draw from the
    same one, so that their weights are not those of the seed: train in processes.
    """
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()  # type: ignore[no-untyped-call]  # torch
    apple = torch.mps.get_rng_state() if torch.backends.mps.is_available() else None
    with torch.random.fork_rng(devices=list(devices)):
        yield
    if apple is not None:
        torch.mps.set_rng_state(apple)


def seed_drawing(seed: int, device: torch.device) -> None:
    """Seed what is drawn on a device.

    `torch.manual_seed` would seed every kind of device; of one that is not in use it keeps each call for later, with a
    traceback: two milliseconds a step, and memory that grows.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


def drawing_seed(seed: int, step: int, part: int) -> int:
    """Return the seed of what is drawn for one micro-batch: 32 bits, as many as torch's generator takes in.

    Example:
        >>> drawing_seed(0, 1, 0) == drawing_seed(0, 0, 1)
        False
    """
    return int.from_bytes(hashlib.blake2b(f"{seed} {step} {part}".encode(), digest_size=4).digest())
