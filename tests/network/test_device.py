"""Where networks run: a GPU that cannot be used is told, and left for the CPU only on request."""

import pytest
import torch

from haplorag.errors import InputError
from haplorag.network import device
from haplorag.network.device import choose_device, telling_what_to_lower


@pytest.fixture
def card(monkeypatch, tmp_path):
    """A machine that has a card, as far as files tell."""
    (tmp_path / "nvidia0").touch()
    monkeypatch.setattr(device, "DEVICES", tmp_path)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("LOCAL_RANK", raising=False)


def test_no_card_no_gpu(monkeypatch, tmp_path):
    monkeypatch.setattr(device, "DEVICES", tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device(1).type == "cpu"


def test_torch_without_support_is_told(card, monkeypatch):
    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(InputError, match=r"one for the CPU; install envs/gpu.txt, or .*gpu=0"):
        choose_device(1)
    assert choose_device(0).type == "cpu"


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_a_hidden_card_is_none(card, monkeypatch, hidden):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert choose_device(1).type == "cpu"


def test_a_driver_that_does_not_fit_is_told(card, monkeypatch):
    def refuse():
        raise RuntimeError("The NVIDIA driver on your system is too old (found version 11040)")

    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "init", refuse)
    with pytest.raises(InputError, match=r"too old \(found version 11040\); or .*gpu=0"):
        choose_device(1)


@pytest.mark.parametrize(("capability", "fits"), [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_an_old_card_is_told(card, monkeypatch, capability, fits):
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "init", lambda: None)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Tesla T4")
    if fits:
        assert choose_device(1) == torch.device("cuda", 0)
    else:
        with pytest.raises(InputError, match=r"Tesla T4: its compute capability is 7.5, and 8.0"):
            choose_device(1)


def test_the_end_of_memory_names_the_setting_and_how_far_to_lower_it():
    text = "CUDA out of memory. Tried to allocate 9.00 GiB. GPU 0 has a total capacity of 79 GiB"
    with (
        pytest.raises(
            MemoryError,
            match=r"allocate 9.00 GiB; lower training.batch_people from 24 to 12",
        ),
        telling_what_to_lower("training.batch_people", 24),
    ):
        raise torch.OutOfMemoryError(text)
