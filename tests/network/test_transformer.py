"""The transformer: what computes attention where, and that compiling it changes no answer."""

import copy

import pytest
import torch
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from haplorag.network import transformer
from haplorag.network.model import build_network, compile_transformer, predict
from haplorag.network.transformer import Block, attend, choose_attention
from support import batch_of


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_on_a_gpu_attention_in_16_bits_is_flash_attention_or_an_error(kind):
    query = torch.randn(2, 2, 5, 8)
    with choose_attention("cuda", kind):
        assert torch.backends.cuda.flash_sdp_enabled()
        assert not torch.backends.cuda.math_sdp_enabled()
        assert not torch.backends.cuda.mem_efficient_sdp_enabled()
        assert not torch.backends.cuda.cudnn_sdp_enabled()
        # A mask is what flash attention cannot take.
        with pytest.raises(RuntimeError, match=r"No available kernel|No viable backend"):
            functional.scaled_dot_product_attention(
                query, query, query, attn_mask=torch.ones(5, 5, dtype=torch.bool), dropout_p=0.5
            )
    assert torch.backends.cuda.math_sdp_enabled()


@pytest.mark.parametrize(("device", "kind"), [("cuda", torch.float32), ("cpu", torch.bfloat16)])
def test_elsewhere_pytorch_chooses(device, kind):
    with choose_attention(device, kind):
        assert torch.backends.cuda.math_sdp_enabled()


def test_flash_attention_gives_what_is_written_out(monkeypatch):
    """PyTorch has it for the CPU too."""
    torch.manual_seed(1)
    block = Block(16, 2, 0.0).eval()
    features = torch.randn(3, 40, 16)
    monkeypatch.setattr(transformer, "choose_attention", lambda *_: sdpa_kernel(SDPBackend.MATH))
    plain = block(features)
    monkeypatch.setattr(
        transformer, "choose_attention", lambda *_: sdpa_kernel(SDPBackend.FLASH_ATTENTION)
    )
    torch.testing.assert_close(block(features), plain, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("width", [3, 8, 16, 20])
def test_heads_of_any_width_attend_as_written_out(width):
    torch.manual_seed(1)
    projected = torch.randn(2, 7, 3, 4, width, requires_grad=True)
    query, key, value = projected.permute(2, 0, 3, 1, 4)
    weights = torch.softmax(query @ key.transpose(-1, -2) / width**0.5, dim=-1)
    expected = (weights @ value).transpose(1, 2)
    found = attend(projected, 0.0)
    torch.testing.assert_close(found, expected)
    first, second = (
        torch.autograd.grad(one.square().sum(), projected)[0] for one in (found, expected)
    )
    torch.testing.assert_close(first, second)


@pytest.mark.parametrize("model", ["copying", "embedding_rag_v18"])
def test_a_compiled_transformer_answers_the_same_under_the_same_names(settings, model):
    torch.manual_seed(1)
    network = build_network(settings.network[model])
    compiled = copy.deepcopy(network)
    compile_transformer(compiled, backend="aot_eager")
    batch, _ = batch_of()
    torch.testing.assert_close(predict(compiled, batch), predict(network, batch))
    assert compiled.state_dict().keys() == network.state_dict().keys()
