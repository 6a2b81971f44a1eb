"""Time-contrastive networks of one view (Sermanet et al. 2017, arXiv:1704.06888): frames near in time attract, far ones of the clip repel.

Every frame of a clip is an anchor, those within `near` of it are its positives, and those further than `far` its negatives, of which the
semi-hard one counts: the nearest that is further than the positive, or where there is none the furthest (singleview_tcn_loss in
research/tcn/estimators/svtcn_loss.py). Distances are squared, of vectors of unit length; the margin is 0.2 (configs/tcn_default.yml).
Differs from the authors' code:
- near and far are 1 and 2 frames, as a clip has 8; theirs 6 and 12, 0.2 and 0.4 seconds of a video of minutes.
- Negatives are of the same clip alone, as their loss of one sequence; the mean over all clips' pairs.
- New weights and any encoder; theirs is an Inception with ImageNet's weights. A linear layer to 32 numbers.
- Adam at 1e-3 as theirs, with a cosine; batches of 64 clips.
B clips in the global batch, T frames, D features, P embedding.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bench.domains import Count, CountOrZero, Positive
from bench.method import Method
from bench.parts import full_precision, mean_of_batch
from bench.spec import Recipe
from bench.views import Flip, PaddedCrop, View


@full_precision
def semi_hard_triplets(embedded: Tensor, near: int, far: int, margin: float) -> Tensor:
    """Of unit vectors [B, T, P] the mean over clips, anchors and positives of max(0, margin + d(a, p) - d(a, n)), squared distances."""
    # Of unit vectors, whose product says it: no root, whose gradient is infinite at 0.
    distance = 2 - 2 * embedded @ embedded.transpose(1, 2)
    time = torch.arange(embedded.shape[1], device=embedded.device)
    apart = (time[:, None] - time).abs()
    negative = (apart > far)[None, :, None, :]  # [B, anchor, positive, negative]
    positives, negatives = distance[..., None], distance[:, :, None, :]
    further = (negatives > positives) & negative
    outside = negatives.masked_fill(~further, float("inf")).amin(3)
    inside = negatives.masked_fill(~negative, float("-inf")).amax(3)
    semi_hard = torch.where(further.any(3), outside, inside)
    pairs = (apart > 0) & (apart <= near)
    return F.relu(margin + distance - semi_hard)[:, pairs].mean()


class TimeContrastive(Method):
    paper = "arXiv:1704.06888"
    source = "tensorflow/models@ebafe28"
    family = "contrastive"
    takes = ("clips",)
    needs = "frames"
    search = {"margin": ("log", 0.05, 0.8)}

    def __init__(
        self,
        make_encoder,
        data,
        *,
        margin: Positive = 0.2,
        near: Count = 1,
        far: Count = 2,
        embedding: Count = 32,
        padding: CountOrZero = 4,
    ):
        """margin: 0.2. near, far: frames up to which another one is a positive, and from which on, without it, a negative. embedding: P.
        padding: pixels of black border that a crop of all frames moves over."""
        super().__init__()
        if not near <= far < data.frames // 2:
            expected = f"near <= far <= {data.frames // 2 - 1}"
            raise ValueError(f"near={near} and far={far}: the middle of {data.frames} frames has no negative; expected {expected}")
        self.views = (View((PaddedCrop(padding), Flip())),)
        self.recipe = Recipe("adam", lr=1e-3, lr_per_batch=None, batch_size=64, weight_decay=1e-6, warmup=0.05)
        self.encoder, self.margin, self.near, self.far = make_encoder(), margin, near, far
        self.projector = nn.Linear(self.encoder.dim, embedding)

    def chance_loss(self, batch_size):
        return self.margin

    def loss(self, batch, progress):
        embedded = F.normalize(self.projector(self.encoder.frames(batch.views[0])), dim=-1)
        return mean_of_batch(semi_hard_triplets(embedded, self.near, self.far, self.margin), len(embedded))
