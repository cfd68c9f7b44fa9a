"""The mask decoder's transformer: tokens and image attend to each other (spec §1.7)."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from napari_sam2.model.attention import Attention
from napari_sam2.model.layers import MLP

HEADS = 8
DEPTH = 2


class TwoWayLayer(nn.Module):
    """Self-attention of tokens, tokens to image, MLP, image to tokens; post-norm.

    Parameters
    ----------
    dim, feedforward_dim
        Channels of tokens; width of the MLP.
    is_first
        The first layer's self-attention has no positions and replaces the tokens.
    """

    def __init__(self, dim: int, feedforward_dim: int, is_first: bool) -> None:
        super().__init__()
        self.self_attn = Attention(dim, HEADS)
        self.cross_attn_token_to_image = Attention(dim, HEADS, inner_dim=dim // 2)
        self.mlp = MLP(dim, feedforward_dim, dim)
        self.cross_attn_image_to_token = Attention(dim, HEADS, inner_dim=dim // 2)
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)
        self.norm3 = nn.LayerNorm(dim)
        self.norm4 = nn.LayerNorm(dim)
        self.is_first = is_first

    def forward(
        self, tokens: Tensor, image: Tensor, token_position: Tensor, position: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Update ``(b, tokens, dim)`` tokens and ``(b, pixels, dim)`` image."""
        if self.is_first:
            tokens = self.self_attn(tokens, tokens, tokens)
        else:
            placed = tokens + token_position
            tokens = tokens + self.self_attn(placed, placed, tokens)
        tokens = self.norm1(tokens)

        placed, keys = tokens + token_position, image + position
        tokens = tokens + self.cross_attn_token_to_image(placed, keys, image)
        tokens = self.norm2(tokens)
        tokens = self.norm3(tokens + self.mlp(tokens))

        placed = tokens + token_position
        image = image + self.cross_attn_image_to_token(keys, placed, tokens)
        return tokens, self.norm4(image)


class TwoWayTransformer(nn.Module):
    """Two layers and a last look from the tokens at the image."""

    def __init__(self, dim: int, feedforward_dim: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            TwoWayLayer(dim, feedforward_dim, is_first=depth == 0)
            for depth in range(DEPTH)
        )
        self.final_attn_token_to_image = Attention(dim, HEADS, inner_dim=dim // 2)
        self.norm_final_attn = nn.LayerNorm(dim)

    def forward(
        self,
        image: Float[Tensor, "b dim h w"],
        position: Float[Tensor, "#b dim h w"],
        tokens: Float[Tensor, "b n dim"],
    ) -> tuple[Float[Tensor, "b n dim"], Float[Tensor, "b dim h w"]]:
        """Return updated tokens and image; the tokens are their own positions."""
        pixels = image.flatten(2).transpose(1, 2)  # (b, h·w, dim)
        places = position.flatten(2).transpose(1, 2)
        out = tokens
        for layer in self.layers:
            out, pixels = layer(out, pixels, tokens, places)
        looked = self.final_attn_token_to_image(out + tokens, pixels + places, pixels)
        out = self.norm_final_attn(out + looked)
        return out, pixels.transpose(1, 2).reshape(image.shape)
