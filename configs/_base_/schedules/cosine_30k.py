# As sgd_30k.py, but after the warm-up the learning rate falls along a cosine (Loshchilov and
# Hutter, 2017), to a hundredth.
_base_ = "sgd_30k.py"

warm_up = 500
max_iters = 30000

param_scheduler = [
    dict(type="LinearLR", start_factor=0.001, by_epoch=False, begin=0, end=warm_up),
    dict(
        type="CosineAnnealingLR",
        by_epoch=False,
        begin=warm_up,
        end=max_iters,
        eta_min_ratio=0.01,
    ),
]
